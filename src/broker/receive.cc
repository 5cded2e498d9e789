#include "broker/receive.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace keybroker::broker {
namespace {

void CloseDescriptors(const cmsghdr& rights) {
  const size_t size = rights.cmsg_len - CMSG_LEN(0);
  for (size_t at = 0; at + sizeof(int) <= size; at += sizeof(int)) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&rights) + at, sizeof fd);
    ::close(fd);
  }
}

}  // namespace

Received Receive(int fd, std::span<uint8_t> buffer) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) {
    const bool later = errno == EAGAIN || errno == EINTR;
    return {later ? Received::Kind::kNothing : Received::Kind::kEnded, {}, {}};
  }
  Received received;
  bool hostile = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_RIGHTS) {
      CloseDescriptors(*c);
      hostile = true;
    } else if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(ucred))) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(c), sizeof sender);
      // pid 0 is nobody the kernel can name here; the uid beside it is a filler (65534).
      if (sender.pid != 0) received.sender = sender;
    }
  }
  received.message = {buffer.data(), static_cast<size_t>(size)};
  if (hostile) {
    received.kind = Received::Kind::kHostile;
  } else if (size == 0 && !received.sender) {
    received.kind = Received::Kind::kEnded;
  } else {
    received.kind = Received::Kind::kMessage;
  }
  return received;
}

}  // namespace keybroker::broker
