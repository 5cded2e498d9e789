#include "keybroker/ipc/connect.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>

#include "ipc/peer_error.h"
#include "keybroker/ipc/unix_address.h"

namespace keybroker::ipc {
namespace {

timeval TimevalOf(std::chrono::milliseconds time) {
  return {static_cast<time_t>(time.count() / 1000),
          static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

}  // namespace

Result<UniqueFd> Connect(const std::filesystem::path& path, std::chrono::milliseconds timeout,
                         FullBacklog backlog) {
  KB_ASSIGN(const UnixAddress address, UnixAddress::OfPath(path));
  const int blocking = backlog == FullBacklog::kWait ? 0 : SOCK_NONBLOCK;
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | blocking, 0));
  if (!fd) return Fail(SystemError("socket", errno));
  // Before connect(2), which waits as long as a send does.
  const timeval limit = TimevalOf(timeout);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
    return Fail(SystemError("setsockopt", errno));
  }
  if (::connect(fd.get(), address.get(), address.size()) != 0) return Fail(PeerError(errno));
  if (blocking != 0 && ::fcntl(fd.get(), F_SETFL, 0) != 0) return Fail(SystemError("fcntl", errno));
  return fd;
}

}  // namespace keybroker::ipc
