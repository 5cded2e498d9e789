#include "cli/run_readiness.h"

#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "keybroker/base/hex.h"
#include "keybroker/ipc/message.h"
#include "keybroker/ipc/unix_address.h"

namespace keybroker::cli {
namespace {

std::string_view TextOf(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

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
  std::array<uint8_t, 16> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return Fail(SystemError("getrandom", errno));
  }
  RunReadiness readiness;
  readiness.name_ = "@keybroker-run-" + Hex(random);
  readiness.fd_.Reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!readiness.fd_) return Fail(SystemError("socket", errno));
  KB_TRY(ipc::WantCredentials(readiness.fd()));
  KB_ASSIGN(const auto address, ipc::UnixAddress::OfNotifySocket(readiness.name_));
  if (::bind(readiness.fd(), address.get(), address.size()) != 0) {
    return Fail(SystemError("bind " + readiness.name_, errno));
  }
  return readiness;
}

std::optional<pid_t> RunReadiness::Next() const {
  std::array<uint8_t, 4096> buffer;
  for (;;) {
    const ipc::Received received = ipc::Receive(fd_.get(), buffer);
    switch (received.kind) {
      case ipc::Received::Kind::kNothing:
      case ipc::Received::Kind::kEnd:
        return std::nullopt;
      case ipc::Received::Kind::kTooLong:
      case ipc::Received::Kind::kDescriptors:
        continue;
      case ipc::Received::Kind::kMessage:
        if (received.sender && SaysReady(TextOf(received.message))) return received.sender->pid;
    }
  }
}

}  // namespace keybroker::cli
