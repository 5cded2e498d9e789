#pragma once

#include <pthread.h>

namespace keybroker::module {

// Mutex is a pthread mutex without the C++ runtime that std::mutex brings along.
class Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() { pthread_mutex_lock(&mutex_); }
  void Unlock() { pthread_mutex_unlock(&mutex_); }

  // Recreate makes it anew and unlocked, whatever state a fork caught it in.
  void Recreate() { pthread_mutex_init(&mutex_, nullptr); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

// Hold keeps a Mutex locked for its own lifetime.
class Hold {
 public:
  explicit Hold(Mutex& mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~Hold() { mutex_.Unlock(); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace keybroker::module
