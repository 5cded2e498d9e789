#include "cli/run_readiness.h"

#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "keybroker/base/hex.h"

namespace keybroker::cli {
namespace {

// SaysReady finds the line READY=1 in a message.
bool SaysReady(std::string_view message) {
  while (!message.empty()) {
    const size_t end = message.find('\n');
    if (message.substr(0, end) == "READY=1") return true;
    if (end == std::string_view::npos) return false;
    message.remove_prefix(end + 1);
  }
  return false;
}

// CloseDescriptors closes what a sender passed along: nothing is taken here.
void CloseDescriptors(const cmsghdr* control) {
  const size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < count; ++i) {
    int fd = -1;
    memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
    ::close(fd);
  }
}

}  // namespace

Result<RunReadiness> RunReadiness::Open() {
  std::array<uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return Fail(SystemError("getrandom", errno));
  }
  RunReadiness readiness;
  readiness.name_ = "@keybroker-run-" + Hex(random);
  readiness.fd_.Reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!readiness.fd_) return Fail(SystemError("socket", errno));
  const int on = 1;
  if (::setsockopt(readiness.fd(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return Fail(SystemError("SO_PASSCRED", errno));
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, readiness.name_.data() + 1, readiness.name_.size() - 1);
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + readiness.name_.size());
  if (::bind(readiness.fd(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return Fail(SystemError("bind " + readiness.name_, errno));
  }
  return readiness;
}

std::optional<pid_t> RunReadiness::Next() const {
  for (;;) {
    char text[4096];
    iovec vector{text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(8 * sizeof(int))];
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;
    pid_t pid = 0;
    for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
      if (at->cmsg_level != SOL_SOCKET) continue;
      if (at->cmsg_type == SCM_RIGHTS) CloseDescriptors(at);
      if (at->cmsg_type != SCM_CREDENTIALS) continue;
      ucred credentials{};
      memcpy(&credentials, CMSG_DATA(at), sizeof credentials);
      pid = credentials.pid;
    }
    if (pid != 0 && SaysReady({text, static_cast<size_t>(size)})) return pid;
  }
}

}  // namespace keybroker::cli
