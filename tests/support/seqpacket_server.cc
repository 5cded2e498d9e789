#include "support/seqpacket_server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace keybroker::test {

UniqueFd ListenAt(const std::filesystem::path& socket, int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) std::abort();
  std::memcpy(address.sun_path, path.data(), path.size());
  std::filesystem::create_directories(socket.parent_path());
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const int yes = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    std::abort();
  }
  return fd;
}

void SeqpacketServer::Start(UniqueFd listening) {
  std::lock_guard lock(mutex_);
  killed_ = false;
  const int raw = listening.get();
  listening_ = std::move(listening);
  acceptor_ = std::thread([this, raw] { Accept(raw); });
}

void SeqpacketServer::Kill() {
  std::vector<std::pair<int, std::thread>> connections;
  {
    std::lock_guard lock(mutex_);
    if (killed_) return;
    killed_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
  }
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    listening_.Reset();
    connections.swap(connections_);
    for (const auto& [fd, thread] : connections) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& [fd, thread] : connections) {
    thread.join();
    ::close(fd);
  }
}

void SeqpacketServer::Accept(int listening) {
  for (;;) {
    const int fd = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    std::lock_guard lock(mutex_);
    if (fd < 0 || killed_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    // The number stays taken until Kill, so that no other connection can be ended for it.
    connections_.emplace_back(fd, std::thread([this, fd] {
                                serve_(fd);
                                ::shutdown(fd, SHUT_RDWR);
                              }));
  }
}

}  // namespace keybroker::test
