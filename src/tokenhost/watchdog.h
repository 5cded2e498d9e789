#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace keybroker::tokenhost {

// Watchdog ends the process when a call into the vendor's module outlives its limit: nothing else
// can end a hung call. It has a thread of its own, which runs no vendor code.
class Watchdog {
 public:
  // kHungExit is the process's exit code then (EX_TEMPFAIL): start it again.
  static constexpr int kHungExit = 75;

  // The limit is for one call; name is the token's, for the log line.
  Watchdog(std::string name, std::chrono::milliseconds limit);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  std::chrono::milliseconds limit() const { return limit_; }

  // Call marks a call from its making to its end. what is a string with static lifetime; calls is
  // how many vendor calls the limit must allow for, as a listing makes many.
  class Call {
   public:
    Call(Watchdog& watchdog, const char* what, unsigned calls = 1);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Watchdog& watchdog_;
    size_t lane_;
  };

 private:
  // A lane is one call under way: until is 0 when the lane is free.
  struct Lane {
    std::atomic<int64_t> until_ns{0};
    std::atomic<const char*> what{nullptr};
  };
  static constexpr size_t kLanes = 256;

  void Run();
  void CheckLanes() const;

  const std::string name_;
  const std::chrono::milliseconds limit_;
  std::array<Lane, kLanes> lanes_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace keybroker::tokenhost
