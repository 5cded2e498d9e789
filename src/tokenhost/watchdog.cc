#include "tokenhost/watchdog.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "keybroker/base/log.h"

namespace keybroker::tokenhost {
namespace {

using std::chrono::milliseconds;

int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t ToNs(milliseconds time) { return time.count() * 1'000'000; }

}  // namespace

Watchdog::Call::Call(Watchdog& watchdog, const char* what, unsigned calls)
    : watchdog_(watchdog), lane_(0) {
  const int64_t until = NowNs() + ToNs(watchdog.limit_) * calls;
  // There are more lanes than threads, so one is free.
  for (;; lane_ = (lane_ + 1) % kLanes) {
    int64_t free = 0;
    if (watchdog_.lanes_[lane_].until_ns.compare_exchange_strong(free, until)) break;
  }
  watchdog_.lanes_[lane_].what.store(what);
}

Watchdog::Call::~Call() { watchdog_.lanes_[lane_].until_ns.store(0); }

Watchdog::Watchdog(std::string name, milliseconds limit)
    : name_(std::move(name)), limit_(limit), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Watchdog::Run() {
  const milliseconds period = std::clamp(limit_ / 8, milliseconds(5), milliseconds(1000));
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, period, [this] { return stopping_; })) CheckLanes();
}

void Watchdog::CheckLanes() const {
  const int64_t now = NowNs();
  for (const Lane& lane : lanes_) {
    const int64_t until = lane.until_ns.load();
    if (until == 0 || until > now) continue;
    const char* what = lane.what.load();
    Log(LogLevel::kError,
        "the vendor module of token \"" + name_ + "\" hangs in " + (what == nullptr ? "?" : what) +
            " (limit " + std::to_string(limit_.count()) +
            " ms a call, hang_limit_ms in its profile); ending, to be started again");
    ::_exit(kHungExit);
  }
}

}  // namespace keybroker::tokenhost
