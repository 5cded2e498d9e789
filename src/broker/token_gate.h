#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "broker/admission.h"
#include "broker/catalogue.h"
#include "broker/log_limiter.h"
#include "keybroker/base/guarded.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::broker {

// TokenReport is what a tokenhost last said of itself, for `keybroker status`.
struct TokenReport {
  bool known = false;
  wire::TokenState state = wire::TokenState::kStarting;
  uint32_t pid = 0;
  std::string label;
  std::string serial;
  std::string model;
  std::string detail;
};

// TokenGate is what all threads share about one tokenhost: whether it is away, how many requests
// it has, and what it said. Thread-safe.
//
// An outage begins when a connection is lost or cannot be made, or when the tokenhost says that its
// token is unavailable. Requests wait for its end at most the budget, counted from the outage's
// begin; after that they fail at once.
class TokenGate {
 public:
  TokenGate(std::string name, std::filesystem::path socket, uint64_t budget_ms)
      : name_(std::move(name)), socket_(std::move(socket)), budget_ms_(budget_ms) {}

  const std::string& name() const { return name_; }
  const std::filesystem::path& socket() const { return socket_; }
  uint64_t budget_ms() const { return budget_ms_; }

  // Loss says what was seen: the connection, or the tokenhost's word about its token.
  enum class Loss { kConnection, kToken };

  // NoteLoss begins an outage unless there is one, logs it once, and returns when (MonotonicMs)
  // waiting for its end is over. An outage of the connection becomes one of the token when its
  // tokenhost answers that the token is unavailable.
  uint64_t NoteLoss(Loss loss, std::string_view why);

  // NoteConnected ends an outage of the connection; NoteWorking ends any: the token has signed, or
  // says that it is ready. Both cost one load when there is none.
  void NoteConnected();
  void NoteWorking();

  bool away() const { return away_.load(std::memory_order_acquire); }

  // unreachable is true in an outage of the connection: what the tokenhost last said is stale.
  bool unreachable() const;

  // AwayForMs is how long the present outage has lasted; 0: there is none.
  uint64_t AwayForMs() const;

  // WaitIsOver is true in an outage whose budget is spent: requests fail at once.
  bool WaitIsOver() const { return away() && AwayForMs() > budget_ms_; }

  // WaitForEnd returns when the outage has ended, or at most for_ms later.
  void WaitForEnd(uint64_t for_ms);

  Admission& admission() { return admission_; }

  // lines is where what happens to this token is logged: a token that comes and goes is not to fill
  // the disk, nor to hide what is said of others. Its owner ticks it.
  LogLimiter& lines() { return lines_; }

  // catalogue is the last one received; null before the first.
  std::shared_ptr<const TokenCatalogue> catalogue() const;
  void SetCatalogue(std::shared_ptr<const TokenCatalogue> catalogue);

  // NoteGeneration tells the gate what a HelloReply said; when it is news the watch looks at it.
  void NoteGeneration(uint64_t generation);

  // SetWake installs the watch's alarm clock, and removes it (an empty function).
  void SetWake(std::function<void()> wake);
  void Wake();

  TokenReport report() const;
  void SetReport(TokenReport report);

 private:
  void End();

  const std::string name_;
  const std::filesystem::path socket_;
  const uint64_t budget_ms_;

  std::atomic<bool> away_{false};
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  uint64_t away_since_ms_ = 0;
  Loss loss_ = Loss::kConnection;

  Admission admission_;
  LogLimiter lines_;
  std::atomic<uint64_t> generation_{0};
  Guarded<std::shared_ptr<const TokenCatalogue>> catalogue_;
  Guarded<std::function<void()>> wake_;
  Guarded<TokenReport> report_;
};

}  // namespace keybroker::broker
