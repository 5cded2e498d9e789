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

  // GreetingMs is how long a broker that took a connection may take to answer Hello.
  uint64_t GreetingMs() const { return silent_ ? kProbeTimeoutMs : kUnavailableBudgetMs; }

  // Trip opens the breaker without a wait: a call has already waited for a hung broker.
  void Trip() {
    started_ms_ = 1;
    silent_ = true;
  }

  // NobodyListens: what listens there the next time is another broker than the one that hung.
  void NobodyListens() { silent_ = false; }

  // End closes it: the broker answered.
  void End() {
    started_ms_ = 0;
    silent_ = false;
  }

 private:
  uint64_t started_ms_ = 0;  // 0: no outage
  bool silent_ = false;
};

}  // namespace keybroker::module
