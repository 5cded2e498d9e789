#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cli/listener_check/problem.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {

// Address is where a server listens.
struct Address {
  std::string host;
  std::string port;
};

// ParseAddress reads HOST:PORT, with an IPv6 address in brackets.
Result<Address> ParseAddress(std::string_view text);

// Connection is a TCP connection whose life, and whose input, are bounded: every call ends by the
// deadline, and after kMostBytes no more is read, whatever the peer sends.
class Connection {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  static constexpr size_t kMostBytes = 256 * 1024;

  // Open resolves the host (for as long as the system's resolver takes) and tries each of its
  // addresses.
  static Attempt<Connection> Open(const Address& address, Deadline deadline);

  // Send writes all of it.
  Attempt<void> Send(std::string_view bytes);

  // Receive gives what is there, at least one byte, once something is.
  Attempt<std::string> Receive();

 private:
  Connection(UniqueFd fd, Deadline deadline) : fd_(std::move(fd)), deadline_(deadline) {}

  UniqueFd fd_;
  Deadline deadline_;
  size_t received_ = 0;
};

}  // namespace keybroker::cli
