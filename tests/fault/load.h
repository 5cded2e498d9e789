#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "keybroker/base/unique_fd.h"
#include "support/pkcs11_client.h"
#include "support/public_key.h"

namespace keybroker::test {

// ClientCount is what one client of a Load has done; in memory shared with it.
struct ClientCount {
  std::atomic<uint64_t> tried{0};
  std::atomic<uint64_t> failed{0};
  std::atomic<uint64_t> wrong{0};            // signatures that do not verify
  std::atomic<uint64_t> last_failure_ns{0};  // when the last failed call began
  std::atomic<uint64_t> last_failure_took_ns{0};
  char last_failure[160] = {};  // what it said; the client writes it before last_failure_ns
};

// MonotonicNs is CLOCK_MONOTONIC.
uint64_t MonotonicNs();

// Load is a number of processes that sign through a module, each signature verified, until it is
// destroyed. They open the module once and never again: as listeners do.
class Load {
 public:
  Load(const Target& target, const PublicKey& key, unsigned clients);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // AwaitEach waits until each client has made count further signatures; false after a minute.
  bool AwaitEach(unsigned count);

  uint64_t Tried() const;
  uint64_t Failed() const;
  uint64_t Wrong() const;

  // FailedSince has a line for each client in which a call that began after the moment failed: when
  // the last of them began, how long it took, and what it said.
  std::vector<std::string> FailedSince(uint64_t moment_ns) const;

 private:
  [[noreturn]] void RunClient(const Target& target, const PublicKey& key, unsigned index);

  std::vector<pid_t> children_;
  ClientCount* counts_;
  unsigned clients_;
  UniqueFd signed_read_;  // a byte, the client's index, for each good signature
  UniqueFd signed_write_;
};

}  // namespace keybroker::test
