#pragma once

#include <cstdint>

#include "module/limits.h"

namespace keybroker::module {

// Outage is the time without a broker, one for the whole process: an event-loop daemon may wait
// kUnavailableBudgetMs for a restart, but not once per handshake. Times are NowMs; locking is the
// caller's.
class Outage {
 public:
  constexpr Outage() = default;

  // Notice records a failed attempt. True when the budget is spent: fail at once. Otherwise the
  // attempt may be repeated until until_ms.
  bool Notice(uint64_t now_ms) {
    if (started_ms_ == 0) started_ms_ = now_ms;
    return Spent(now_ms);
  }

  // Spent: the breaker is open.
  bool Spent(uint64_t now_ms) const { return started_ms_ != 0 && now_ms >= until_ms(); }
  uint64_t until_ms() const { return started_ms_ + kUnavailableBudgetMs; }

  // LeftMs is how long a call may still wait; 0 once the budget is spent.
  uint64_t LeftMs(uint64_t now_ms) const {
    if (started_ms_ == 0) return kUnavailableBudgetMs;
    return Spent(now_ms) ? 0 : until_ms() - now_ms;
  }

  // Trip opens the breaker without a wait: a call has already waited for a hung broker.
  void Trip() { started_ms_ = 1; }

  // End closes it: the broker answered.
  void End() { started_ms_ = 0; }

 private:
  uint64_t started_ms_ = 0;  // 0: no outage
};

}  // namespace keybroker::module
