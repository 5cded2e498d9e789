#include "module/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "module/clock.h"

namespace keybroker::module {
namespace {

constexpr size_t kVersionOffset = 2;
constexpr size_t kRequestOffset = 4;

// The header's fields that are another on each connection (docs/protocol.md, Header).
void PatchHeader(std::span<uint8_t> message, uint16_t version, uint32_t request) {
  wire::Writer fields(message.subspan(kVersionOffset, 6));
  fields.U16(version);
  fields.U32(request);
  static_assert(kVersionOffset + 2 == kRequestOffset);
}

bool Send(int fd, wire::Bytes message) {
  for (;;) {
    const ssize_t sent = send(fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<size_t>(sent) == message.size();
    // One request at a time is on its way, so that even EAGAIN means a peer that does not read.
    if (errno != EINTR) return false;
  }
}

// The size of the message that was received now or, without MSG_DONTWAIT in flags, within the
// socket's timeout; 0 when the connection is lost, or must be; -1 and errno. There is no room for a
// descriptor, so that the kernel closes one that a peer sends along, and says so.
ssize_t ReceiveOnce(int fd, std::span<uint8_t> buffer, int flags) {
  iovec room{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &room;
  message.msg_iovlen = 1;
  const ssize_t size = recvmsg(fd, &message, flags);
  const bool whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return size < 0 || whole ? size : 0;
}

// Waits in recvmsg() itself: poll() before it would be one more system call in every signature. A
// signal handler of the host's may have cut the wait short; only then is the rest of it counted.
// The size of the message; 0 when the connection is lost, or with *silent when nothing came.
size_t Receive(int fd, std::span<uint8_t> buffer, uint64_t timeout_ms, bool* silent) {
  const uint64_t until_ms = NowMs() + timeout_ms;
  for (int flags = 0;; flags = MSG_DONTWAIT) {
    const ssize_t size = ReceiveOnce(fd, buffer, flags);
    if (size >= 0) return static_cast<size_t>(size);
    const uint64_t now = NowMs();
    *silent = errno == EAGAIN && now >= until_ms;
    if (*silent || (errno != EINTR && errno != EAGAIN)) return 0;
    pollfd waiting{fd, POLLIN, 0};
    poll(&waiting, 1, now < until_ms ? static_cast<int>(until_ms - now) : 0);
  }
}

bool SetReceiveTimeout(int fd, uint64_t timeout_ms) {
  const timeval timeout{static_cast<time_t>(timeout_ms / 1000),
                        static_cast<suseconds_t>(timeout_ms % 1000 * 1000)};
  return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0;
}

}  // namespace

int OpenSocket(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t size = strnlen(path, sizeof address.sun_path);
  if (size == sizeof address.sun_path) return -1;
  memcpy(address.sun_path, path, size);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  // Non-blocking only until it is connected, as a full backlog would block; Send says so each time.
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      fcntl(fd, F_SETFL, 0) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

uint64_t SocketCookie(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

bool IsSameSocket(int fd, uint64_t cookie) { return cookie != 0 && SocketCookie(fd) == cookie; }

Turn TakeTurn(Connection& connection, std::span<uint8_t> message, uint64_t timeout_ms,
              std::span<uint8_t> buffer, wire::Frame* reply) {
  const uint32_t request = ++connection.last_request;
  PatchHeader(message, connection.version, request);
  if (connection.timeout_ms != timeout_ms) {
    if (!SetReceiveTimeout(connection.fd, timeout_ms)) return Turn::kLost;
    connection.timeout_ms = timeout_ms;
  }
  if (!Send(connection.fd, message)) return Turn::kLost;
  bool silent = false;
  const size_t size = Receive(connection.fd, buffer, timeout_ms, &silent);
  if (silent) return Turn::kSilent;
  const auto frame = wire::DecodeFrame({buffer.data(), size});
  if (!frame || frame->header.request_id != request) return Turn::kLost;
  if (frame->header.version != connection.version) return Turn::kLost;
  *reply = *frame;
  return Turn::kReplied;
}

}  // namespace keybroker::module
