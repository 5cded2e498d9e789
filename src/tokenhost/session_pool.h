#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/token/session.h"
#include "tokenhost/watchdog.h"

namespace keybroker::tokenhost {

// SessionSource is where sessions are opened. Those of an earlier epoch are not used again. It does
// not keep the module loaded: only the link, and the sessions themselves, do.
struct SessionSource {
  uint64_t epoch = 0;
  std::weak_ptr<token::Module> module;
  CK_SLOT_ID slot = 0;
};

// SessionPool owns the token's signing sessions, at most limit of them, opened when first needed.
// A connection borrows one for a signature; with as many sessions as the broker has workers each
// gets the one it had before (last in, first out), and beyond that it waits, bounded by its
// deadline. Thread-safe.
class SessionPool {
 public:
  using Clock = std::chrono::steady_clock;

  SessionPool(unsigned limit, Watchdog& watchdog) : limit_(limit), watchdog_(watchdog) {}

  // Lease is the right to one session; it goes back when the Lease ends, unless Discard was called.
  class Lease {
   public:
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    const token::Session& session() const { return *session_; }

    // Discard closes the session instead of giving it back.
    void Discard();

   private:
    friend class SessionPool;
    Lease(SessionPool* pool, uint64_t epoch, std::unique_ptr<token::Session> session);

    SessionPool* pool_;
    uint64_t epoch_;
    std::unique_ptr<token::Session> session_;
  };

  // Borrow gives a session of the source's epoch. Unavailable: none came free until the deadline
  // (wire::kDeadlinePassed), or the pool is drained (CKR_SESSION_CLOSED).
  Result<Lease> Borrow(const SessionSource& source, Clock::time_point deadline);

  // Drain lends no session any more until Refill, waits for those that are lent and closes them
  // all. False: some were still lent at the deadline; it stays drained.
  bool Drain(Clock::time_point deadline);
  void Refill();

  // CloseIdle closes every session that is not lent.
  void CloseIdle();

  // lent is how many are.
  unsigned lent() const;

 private:
  struct Idle {
    uint64_t epoch;
    std::unique_ptr<token::Session> session;
  };

  Result<Lease> Open(const SessionSource& source);
  void Return(uint64_t epoch, std::unique_ptr<token::Session> session);
  // Close closes sessions outside the lock: it is a vendor call.
  void Close(std::vector<Idle> sessions);

  mutable std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Idle> idle_;
  unsigned lent_ = 0;
  unsigned limit_;
  bool drained_ = false;
  Watchdog& watchdog_;
};

}  // namespace keybroker::tokenhost
