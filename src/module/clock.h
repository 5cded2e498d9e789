#pragma once

#include <poll.h>
#include <time.h>

#include <cstdint>

namespace keybroker::module {

// NowMs is CLOCK_MONOTONIC in milliseconds: the clock of the deadlines on the wire.
inline uint64_t NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

// Backoff makes repeated attempts rarer: 1, 2, 4 ... 25 ms.
class Backoff {
 public:
  // Wait sleeps for the next pause, but not past until_ms.
  void Wait(uint64_t until_ms) {
    const uint64_t now = NowMs();
    if (now >= until_ms) return;
    const uint64_t left = until_ms - now;
    poll(nullptr, 0, static_cast<int>(left < pause_ms_ ? left : pause_ms_));
    pause_ms_ = pause_ms_ * 2 < kLongestMs ? pause_ms_ * 2 : kLongestMs;
  }

 private:
  static constexpr uint64_t kLongestMs = 25;
  uint64_t pause_ms_ = 1;
};

}  // namespace keybroker::module
