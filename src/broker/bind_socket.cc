#include "broker/bind_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "broker/safe_directory.h"

namespace keybroker::broker {
namespace {

namespace fs = std::filesystem;

// The kernel cuts this down to net.core.somaxconn.
constexpr int kBacklog = 4096;

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

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
  KB_ASSIGN(const sockaddr_un address, UnixAddress(path));
  KB_ASSIGN(const UniqueFd probe, NewSocket());
  if (::connect(probe.get(), Generic(address), sizeof address) != 0 &&
      (errno == ECONNREFUSED || errno == ENOENT)) {
    return {};
  }
  return Fail(Conflict("the socket " + path.string() +
                       " is in use by a running process; is another broker running? Stop it, or "
                       "give this one another runtime_dir"));
}

// Dress gives a socket without its final name yet everything else it needs.
Status Dress(int fd, const fs::path& beside, const Endpoint& endpoint) {
  const bool foreign = endpoint.owner != ::geteuid() || endpoint.group != ::getegid();
  if (foreign && ::lchown(beside.c_str(), endpoint.owner, endpoint.group) != 0) {
    return Fail(SystemError("cannot give " + endpoint.path.string() + " to uid " +
                                std::to_string(endpoint.owner) + " and gid " +
                                std::to_string(endpoint.group) + " (start the broker as root)",
                            errno));
  }
  if (::chmod(beside.c_str(), endpoint.mode) != 0) {
    return Fail(SystemError("cannot set the mode of " + endpoint.path.string(), errno));
  }
  if (::listen(fd, kBacklog) != 0) {
    return Fail(SystemError("cannot listen at " + endpoint.path.string(), errno));
  }
  return {};
}

}  // namespace

Result<sockaddr_un> UnixAddress(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  if (text.empty() || text.size() >= sizeof address.sun_path) {
    return Fail(Malformed("the socket path \"" + text + "\" has " + std::to_string(text.size()) +
                          " bytes; unix(7) allows 1 to 107"));
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

Result<PreparedSocket> PrepareSocket(const Endpoint& endpoint, uid_t trusted, Replace replace) {
  static std::atomic<unsigned> serial{0};
  KB_TRY(UnixAddress(endpoint.path));
  const fs::path directory = endpoint.path.parent_path();
  KB_TRY(MakeSafeDirectory(directory, trusted, endpoint.jail));
  if (replace == Replace::kOnlyStale) KB_TRY(CheckFree(endpoint.path));
  PreparedSocket made{
      {}, directory / (".kb" + std::to_string(::getpid()) + "." + std::to_string(++serial))};
  KB_ASSIGN(const sockaddr_un address, UnixAddress(made.beside));
  KB_ASSIGN(made.fd, NewSocket());
  ::unlink(made.beside.c_str());
  if (::bind(made.fd.get(), Generic(address), sizeof address) != 0) {
    return Fail(SystemError("cannot make a socket in " + directory.string(), errno));
  }
  Status status = PrepareListening(made.fd.get());
  if (status) status = Dress(made.fd.get(), made.beside, endpoint);
  if (!status) {
    ::unlink(made.beside.c_str());
    return Fail(std::move(status).error());
  }
  return made;
}

Status PublishSocket(const PreparedSocket& socket, const Endpoint& endpoint) {
  if (::rename(socket.beside.c_str(), endpoint.path.c_str()) == 0) return {};
  const int error = errno;
  ::unlink(socket.beside.c_str());
  return Fail(SystemError("cannot put the socket at " + endpoint.path.string(), error));
}

Result<UniqueFd> BindSocket(const Endpoint& endpoint, uid_t trusted) {
  KB_ASSIGN(PreparedSocket made, PrepareSocket(endpoint, trusted));
  KB_TRY(PublishSocket(made, endpoint));
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
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return Fail(SystemError("SO_PASSCRED", errno));
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Fail(SystemError("fcntl", errno));
  }
  return {};
}

}  // namespace keybroker::broker
