#include "cli/run_readiness.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace keybroker::cli {
namespace {

// With more than this in one turn a child would keep the supervisor from the others.
constexpr int kMostMessages = 16;

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

}  // namespace

Result<RunReadiness> RunReadiness::Open() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return Fail(SystemError("socketpair", errno));
  }
  RunReadiness readiness;
  readiness.ours_.Reset(pair[0]);
  readiness.childs_.Reset(pair[1]);
  return readiness;
}

bool RunReadiness::Take() {
  std::array<char, 4096> buffer;
  for (int left = kMostMessages; ours_ && left > 0; --left) {
    const ssize_t size = ::recv(ours_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return false;
    if (size <= 0) {
      ours_.Reset();
    } else if (SaysReady({buffer.data(), static_cast<size_t>(size)})) {
      return true;
    }
  }
  return false;
}

}  // namespace keybroker::cli
