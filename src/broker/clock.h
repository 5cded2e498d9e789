#pragma once

#include <time.h>

#include <cstdint>

namespace keybroker::broker {

// MonotonicMs is CLOCK_MONOTONIC in milliseconds: the clock of the deadlines on the wire, the same
// for every process of the host.
inline uint64_t MonotonicMs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

}  // namespace keybroker::broker
