#include "keybroker/ipc/listening_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "keybroker/ipc/message.h"
#include "keybroker/ipc/unix_address.h"

namespace keybroker::ipc {
namespace {

namespace fs = std::filesystem;

Result<UniqueFd> NewSocket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Fail(SystemError("cannot make a socket", errno));
  return fd;
}

// CheckFree refuses a name that is in use. A stale socket, which nobody listens on, is free.
Status CheckFree(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return Fail(SystemError("cannot look at " + path.string(), errno));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Fail(Denied(path.string() + " is there already and is not a socket; move it away"));
  }
  KB_ASSIGN(const UnixAddress address, UnixAddress::OfPath(path));
  KB_ASSIGN(const UniqueFd probe, NewSocket());
  if (::connect(probe.get(), address.get(), address.size()) != 0 &&
      (errno == ECONNREFUSED || errno == ENOENT)) {
    return {};
  }
  return Fail(Conflict("the socket " + path.string() +
                       " is in use by a running process; stop that one, or give this one another "
                       "runtime_dir"));
}

// Dress gives a socket without its final name yet everything else it needs.
Status Dress(int fd, const fs::path& beside, const SocketFile& file) {
  const bool foreign = (file.owner != static_cast<uid_t>(-1) && file.owner != ::geteuid()) ||
                       (file.group != static_cast<gid_t>(-1) && file.group != ::getegid());
  if (foreign && ::lchown(beside.c_str(), file.owner, file.group) != 0) {
    return Fail(SystemError("cannot give " + file.path.string() + " to uid " +
                                std::to_string(file.owner) + " and gid " +
                                std::to_string(file.group) + " (start the program as root)",
                            errno));
  }
  if (::chmod(beside.c_str(), file.mode) != 0) {
    return Fail(SystemError("cannot set the mode of " + file.path.string(), errno));
  }
  return file.listens == Listens::kNow ? Listen(fd, file.backlog) : Status{};
}

}  // namespace

Result<PreparedSocket> PrepareSocket(const SocketFile& file, Replace replace) {
  static std::atomic<unsigned> serial{0};
  KB_TRY(UnixAddress::OfPath(file.path));
  if (replace == Replace::kOnlyStale) KB_TRY(CheckFree(file.path));
  const fs::path directory = file.path.parent_path();
  PreparedSocket made{
      {},
      directory / (".kb" + std::to_string(::getpid()) + "." + std::to_string(++serial)),
      file.path};
  KB_ASSIGN(const UnixAddress address, UnixAddress::OfPath(made.beside));
  KB_ASSIGN(made.fd, NewSocket());
  ::unlink(made.beside.c_str());
  if (::bind(made.fd.get(), address.get(), address.size()) != 0) {
    return Fail(SystemError("cannot make a socket in " + directory.string(), errno));
  }
  Status status = PrepareListening(made.fd.get());
  if (status) status = Dress(made.fd.get(), made.beside, file);
  if (!status) {
    ::unlink(made.beside.c_str());
    return Fail(std::move(status).error());
  }
  return made;
}

Status Listen(int fd, int backlog) {
  if (::listen(fd, backlog) != 0) return Fail(SystemError("cannot listen at a socket", errno));
  return {};
}

Status PublishSocket(const PreparedSocket& socket) {
  if (::rename(socket.beside.c_str(), socket.path.c_str()) == 0) return {};
  const int error = errno;
  ::unlink(socket.beside.c_str());
  return Fail(SystemError("cannot put the socket at " + socket.path.string(), error));
}

Result<UniqueFd> BindSocket(const SocketFile& file, Replace replace) {
  KB_ASSIGN(PreparedSocket made, PrepareSocket(file, replace));
  KB_TRY(PublishSocket(made));
  return std::move(made.fd);
}

Status PrepareListening(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || domain != AF_UNIX ||
      type != SOCK_SEQPACKET) {
    return Fail(Malformed("not a Unix SOCK_SEQPACKET socket (ListenSequentialPacket= in systemd)"));
  }
  KB_TRY(WantCredentials(fd));
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Fail(SystemError("fcntl", errno));
  }
  return {};
}

}  // namespace keybroker::ipc
