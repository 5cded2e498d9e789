#include "keybroker/ipc/message.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "ipc/peer_error.h"

namespace keybroker::ipc {
namespace {

void CloseDescriptors(const cmsghdr& rights) {
  const size_t size = rights.cmsg_len - CMSG_LEN(0);
  for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&rights) + at, sizeof fd);
    ::close(fd);
  }
}

// ReadControl notes who sent the message; true when descriptors came with it.
bool ReadControl(msghdr& header, std::optional<ucred>& sender) {
  bool descriptors = (header.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_RIGHTS) {
      CloseDescriptors(*c);
      descriptors = true;
    } else if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(ucred))) {
      ucred said{};
      std::memcpy(&said, CMSG_DATA(c), sizeof said);
      // pid 0 is nobody the kernel can name here; the uid beside it may be a filler (65534).
      if (said.pid != 0) sender = said;
    }
  }
  return descriptors;
}

}  // namespace

Status WantCredentials(int fd) {
  const int on = 1;
  if (::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0) return {};
  return Fail(SystemError("SO_PASSCRED", errno));
}

Received Receive(int fd, std::span<uint8_t> buffer) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    return {errno == EAGAIN ? Received::Kind::kNothing : Received::Kind::kEnd, {}, {}};
  }
  Received received;
  const bool descriptors = ReadControl(header, received.sender);
  received.message = buffer.first(static_cast<size_t>(size));
  if (descriptors) {
    received.kind = Received::Kind::kDescriptors;
  } else if ((header.msg_flags & MSG_TRUNC) != 0) {
    received.kind = Received::Kind::kTooLong;
  } else if (size == 0 && !received.sender) {
    // An empty message has a sender; the end of a connection has none.
    received.kind = Received::Kind::kEnd;
  } else {
    received.kind = Received::Kind::kMessage;
  }
  return received;
}

Status Send(int fd, std::span<const uint8_t> message) {
  ssize_t size = 0;
  do {
    size = ::send(fd, message.data(), message.size(), MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return Fail(PeerError(errno));
  // SOCK_SEQPACKET sends all or nothing.
  if (static_cast<size_t>(size) != message.size()) return Fail(Internal("a message was cut"));
  return {};
}

}  // namespace keybroker::ipc
