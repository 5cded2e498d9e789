#include "tokenhost/listening_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "keybroker/ipc/activation.h"
#include "keybroker/ipc/listening_socket.h"
#include "keybroker/ipc/unix_address.h"

namespace keybroker::tokenhost {
namespace {

constexpr int kBacklog = 64;

Result<UniqueFd> Lock(const std::filesystem::path& path) {
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return Fail(SystemError("cannot open " + path.string(), errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return Fail(SystemError("cannot lock " + path.string(), errno));
  return Fail(Conflict("another keybroker-tokenhost holds " + path.string() +
                       ": stop it first (keybroker status shows its pid)"));
}

}  // namespace

Result<ListeningSocket> ListeningSocket::Bind(const std::filesystem::path& path) {
  const ipc::SocketFile file{.path = path, .mode = 0660, .backlog = kBacklog};
  KB_TRY(ipc::UnixAddress::OfPath(path));  // no lock file is made for a socket that cannot be
  KB_ASSIGN(UniqueFd lock, Lock(path.string() + ".lock"));
  KB_ASSIGN(UniqueFd fd, ipc::BindSocket(file, ipc::Replace::kOurOwn));
  return ListeningSocket(std::move(fd), std::move(lock), path);
}

Result<std::optional<ListeningSocket>> ListeningSocket::Inherited() {
  auto sockets = ipc::TakeActivatedSockets();
  if (sockets && sockets->empty()) return std::nullopt;
  if (!sockets || sockets->size() != 1) {
    return Fail(
        Malformed("the service manager must pass exactly one socket, a listening "
                  "ListenSequentialPacket= one: " +
                  (sockets ? std::to_string(sockets->size()) + " came" : sockets.error().detail)));
  }
  return std::optional(ListeningSocket(std::move(sockets->front().fd), UniqueFd(), {}));
}

ListeningSocket::~ListeningSocket() {
  if (fd_ && !path_.empty()) ::unlink(path_.c_str());
}

}  // namespace keybroker::tokenhost
