#include "cli/progress_line.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace keybroker::cli {

ProgressLine::ProgressLine(size_t total, std::string what)
    : total_(total), what_(std::move(what)), shown_(total > 1 && ::isatty(STDERR_FILENO) == 1) {
  Show();
}

ProgressLine::~ProgressLine() {
  if (!shown_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

void ProgressLine::OneMore() {
  const std::scoped_lock lock(mutex_);
  ++done_;
  Show();
}

void ProgressLine::Show() {
  if (!shown_) return;
  std::fprintf(stderr, "\r\x1b[Kkeybroker: %zu of %zu %s", done_, total_, what_.c_str());
  std::fflush(stderr);
}

}  // namespace keybroker::cli
