#pragma once

#include <cstddef>
#include <mutex>
#include <string>

namespace keybroker::cli {

// ProgressLine shows on a terminal, in one line of standard error, how much of something that takes
// long is done; anywhere else, and with less than two parts, it shows nothing. Thread-safe. The
// line is wiped when it goes.
class ProgressLine {
 public:
  // what follows the numbers: "keys backed up".
  ProgressLine(size_t total, std::string what);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // OneMore counts, and shows.
  void OneMore();

 private:
  void Show();

  const size_t total_;
  const std::string what_;
  const bool shown_;
  std::mutex mutex_;
  size_t done_ = 0;
};

}  // namespace keybroker::cli
