#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

namespace keybroker::cli {

// RunBackoff says how long to wait before a dead program is started again: 50 ms at first, doubling
// to 5 s, and from the beginning again once it lived for 10 s.
class RunBackoff {
 public:
  using milliseconds = std::chrono::milliseconds;
  static constexpr milliseconds kFirst{50};
  static constexpr milliseconds kLast{5000};
  static constexpr milliseconds kSteady{10'000};

  // Next is the wait after a life of that length.
  milliseconds Next(milliseconds lived) {
    if (lived >= kSteady) next_ = kFirst;
    return std::exchange(next_, std::min(next_ * 2, kLast));
  }

 private:
  milliseconds next_ = kFirst;
};

}  // namespace keybroker::cli
