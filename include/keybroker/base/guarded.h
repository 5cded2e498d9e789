#pragma once

#include <mutex>
#include <utility>

namespace keybroker {

// Guarded<T> holds a T that is reachable only while its lock is held:
//   guarded.With([](T& value) { ... });
template <typename T>
class Guarded {
 public:
  template <typename... Args>
  explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

  // With runs fn on the value under the lock and returns what fn returns.
  template <typename Fn>
  decltype(auto) With(Fn&& fn) {
    std::lock_guard lock(mutex_);
    return std::forward<Fn>(fn)(value_);
  }
  template <typename Fn>
  decltype(auto) With(Fn&& fn) const {
    std::lock_guard lock(mutex_);
    return std::forward<Fn>(fn)(value_);
  }

 private:
  mutable std::mutex mutex_;
  T value_;
};

}  // namespace keybroker
