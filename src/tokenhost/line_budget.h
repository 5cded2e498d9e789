#pragma once

#include <chrono>
#include <string>

#include "keybroker/base/guarded.h"
#include "keybroker/base/log.h"

namespace keybroker::tokenhost {

// LineBudget logs the first few lines of each window one by one and then only how many more there
// were, so that a peer cannot fill the log. Thread-safe.
class LineBudget {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LineBudget(unsigned lines = 5, Clock::duration window = std::chrono::seconds(10))
      : lines_(lines), window_(window) {}

  // Log logs text, or counts it.
  void Log(LogLevel level, const std::string& text) {
    if (const std::string line = Admit(text, Clock::now()); !line.empty()) {
      ::keybroker::Log(level, line);
    }
  }

  // Admit gives the line to log at time now, or nothing.
  std::string Admit(const std::string& text, Clock::time_point now);

 private:
  struct Window {
    Clock::time_point start{};
    unsigned logged = 0;
    unsigned left_out = 0;
  };
  const unsigned lines_;
  const Clock::duration window_;
  Guarded<Window> state_;
};

}  // namespace keybroker::tokenhost
