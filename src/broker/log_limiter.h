#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "keybroker/base/guarded.h"
#include "keybroker/base/log.h"

namespace keybroker::broker {

// LogLimiter writes what peers, or a token, can provoke: at most kLines lines a second, and then
// how many were left out, so that nobody can fill the disk by sending nonsense. Thread-safe.
class LogLimiter {
 public:
  static constexpr unsigned kLines = 10;

  void Write(LogLevel level, std::string_view text) {
    const bool room = counts_.With([](Counts& counts) {
      if (counts.written < kLines) return ++counts.written, true;
      return ++counts.left_out, false;
    });
    if (room) Log(level, text);
  }

  // Tick begins the next second.
  void Tick() {
    const uint64_t left_out = counts_.With([](Counts& counts) {
      const uint64_t count = counts.left_out;
      counts = {};
      return count;
    });
    if (left_out != 0) {
      Log(LogLevel::kWarning, std::to_string(left_out) + " more lines like these were left out");
    }
  }

 private:
  struct Counts {
    unsigned written = 0;
    uint64_t left_out = 0;
  };
  Guarded<Counts> counts_;
};

}  // namespace keybroker::broker
