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

  // GreetingMs is how long a broker that took a connection may take to answer Hello: what is left
  // of the budget, and kProbeTimeoutMs at least. Once in an outage the budget begins anew when
  // somebody listens again where nobody did: after an outage all connect at once, and on a busy
  // machine a good broker needs more than a probe.
  uint64_t GreetingMs(uint64_t now_ms) {
    uint64_t until = started_ms_ == 0 ? now_ms + kUnavailableBudgetMs : until_ms();
    if (Spent(now_ms) && nobody_listened_) {
      if (again_until_ms_ == 0) again_until_ms_ = now_ms + kUnavailableBudgetMs;
      until = again_until_ms_;
    }
    return now_ms + kProbeTimeoutMs < until ? until - now_ms : kProbeTimeoutMs;
  }

  // Trip opens the breaker without a wait: a call has already waited for a hung broker.
  void Trip() {
    started_ms_ = 1;
    nobody_listened_ = false;
  }

  // NobodyListens: what listens there the next time is another broker than the one before.
  void NobodyListens() { nobody_listened_ = true; }

  // End closes it: the broker answered.
  void End() { *this = Outage(); }

 private:
  uint64_t started_ms_ = 0;      // 0: no outage
  uint64_t again_until_ms_ = 0;  // 0: the budget has not begun anew
  bool nobody_listened_ = false;
};

}  // namespace keybroker::module
