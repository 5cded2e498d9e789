#include "tokenhost/listening_socket.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <string>
#include <utility>

namespace keybroker::tokenhost {
namespace {

constexpr int kBacklog = 64;
constexpr int kFirstInherited = 3;  // SD_LISTEN_FDS_START

// WantCredentials has the kernel attach SCM_CREDENTIALS to each message; accepted sockets inherit.
Status WantCredentials(int fd) {
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0) return {};
  return Fail(SystemError("SO_PASSCRED", errno));
}

Result<UniqueFd> Lock(const std::filesystem::path& path) {
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return Fail(SystemError("cannot open " + path.string(), errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return Fail(SystemError("cannot lock " + path.string(), errno));
  return Fail(Conflict("another keybroker-tokenhost holds " + path.string() +
                       ": stop it first (keybroker token list shows its pid)"));
}

bool IsSeqpacketListener(int fd) {
  int domain = 0;
  int type = 0;
  int listens = 0;
  socklen_t size = sizeof(int);
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
         ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET &&
         ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 1;
}

bool SetFlags(int fd) {
  return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

}  // namespace

Result<ListeningSocket> ListeningSocket::Bind(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.size() >= sizeof address.sun_path) {
    return Fail(Malformed("the socket's path " + name + " is longer than " +
                          std::to_string(sizeof address.sun_path - 1) +
                          " bytes: choose a shorter runtime_dir"));
  }
  memcpy(address.sun_path, name.data(), name.size());
  KB_ASSIGN(UniqueFd lock, Lock(name + ".lock"));
  if (::unlink(name.c_str()) != 0 && errno != ENOENT) {
    return Fail(SystemError("cannot remove the stale socket " + name, errno));
  }
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Fail(SystemError("socket", errno));
  KB_TRY(WantCredentials(fd.get()));
  const mode_t before = ::umask(0117);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_error = errno;
  ::umask(before);
  if (bound != 0) return Fail(SystemError("cannot make the socket " + name, bind_error));
  if (::listen(fd.get(), kBacklog) != 0) return Fail(SystemError("listen on " + name, errno));
  return ListeningSocket(std::move(fd), std::move(lock), path);
}

Result<std::optional<ListeningSocket>> ListeningSocket::Inherited() {
  const char* pid = ::getenv("LISTEN_PID");
  const char* count = ::getenv("LISTEN_FDS");
  const bool ours = pid != nullptr && count != nullptr && std::to_string(::getpid()) == pid;
  const bool one = ours && std::string_view(count) == "1";
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  if (!ours) return std::nullopt;
  if (!one || !IsSeqpacketListener(kFirstInherited) || !SetFlags(kFirstInherited)) {
    return Fail(
        Malformed("the service manager must pass exactly one socket, a listening "
                  "ListenSequentialPacket= one"));
  }
  UniqueFd fd(kFirstInherited);
  KB_TRY(WantCredentials(fd.get()));
  return std::optional(ListeningSocket(std::move(fd), UniqueFd(), {}));
}

ListeningSocket::~ListeningSocket() {
  if (fd_ && !path_.empty()) ::unlink(path_.c_str());
}

}  // namespace keybroker::tokenhost
