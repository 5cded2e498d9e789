#include "tokenhost/message.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace keybroker::tokenhost {
namespace {

// Room for the credentials and a few descriptors; the kernel drops what does not fit (MSG_CTRUNC).
constexpr size_t kControlSize = CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(8 * sizeof(int));

// CloseAll closes the descriptors of one SCM_RIGHTS.
void CloseAll(cmsghdr* control) {
  const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < count; ++i) {
    int fd = -1;
    memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
    ::close(fd);
  }
}

}  // namespace

Received Receive(int fd, std::span<uint8_t> buffer) {
  iovec vector{buffer.data(), buffer.size()};
  alignas(cmsghdr) uint8_t control[kControlSize];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t size = 0;
  do {
    size = ::recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  Received received;
  if (size < 0) return received;
  bool descriptors = false;
  bool known = false;
  for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
    if (at->cmsg_level != SOL_SOCKET) continue;
    if (at->cmsg_type == SCM_RIGHTS) {
      CloseAll(at);
      descriptors = true;
    } else if (at->cmsg_type == SCM_CREDENTIALS && at->cmsg_len == CMSG_LEN(sizeof(ucred))) {
      ucred credentials{};
      memcpy(&credentials, CMSG_DATA(at), sizeof credentials);
      received.uid = credentials.uid;
      received.pid = credentials.pid;
      known = true;
    }
  }
  received.bytes = buffer.first(static_cast<size_t>(size));
  if (descriptors || (header.msg_flags & MSG_CTRUNC) != 0) {
    received.kind = Received::Kind::kDescriptors;
  } else if (size == 0) {
    received.kind = Received::Kind::kEnd;
  } else if ((header.msg_flags & MSG_TRUNC) != 0) {
    received.kind = Received::Kind::kTooLong;
  } else {
    received.kind = known ? Received::Kind::kMessage : Received::Kind::kNobody;
  }
  return received;
}

bool Send(int fd, wire::Bytes message) {
  ssize_t size = 0;
  do {
    size = ::send(fd, message.data(), message.size(), MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  return size >= 0 && static_cast<size_t>(size) == message.size();
}

}  // namespace keybroker::tokenhost
