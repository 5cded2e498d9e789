#include "tokenhost/session_pool.h"

#include <algorithm>
#include <string>
#include <utility>

#include "keybroker/base/log.h"
#include "keybroker/wire/sign.h"

namespace keybroker::tokenhost {
namespace {

Error Closed() { return Unavailable("the token was let go of", CKR_SESSION_CLOSED); }

}  // namespace

SessionPool::Lease::Lease(SessionPool* pool, uint64_t epoch,
                          std::unique_ptr<token::Session> session)
    : pool_(pool), epoch_(epoch), session_(std::move(session)) {}

SessionPool::Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      epoch_(other.epoch_),
      session_(std::move(other.session_)) {}

SessionPool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->Return(epoch_, std::move(session_));
}

void SessionPool::Lease::Discard() {
  const Watchdog::Call call(pool_->watchdog_, "C_CloseSession");
  session_.reset();
}

Result<SessionPool::Lease> SessionPool::Borrow(const SessionSource& source,
                                               Clock::time_point deadline) {
  std::vector<Idle> stale;
  {
    std::unique_lock lock(mutex_);
    const auto free = [&] { return drained_ || lent_ < limit_; };
    if (!returned_.wait_until(lock, deadline, free)) {
      return Fail(Unavailable("all " + std::to_string(limit_) + " sessions are busy",
                              wire::kDeadlinePassed));
    }
    if (drained_) return Fail(Closed());
    ++lent_;
    const auto old = std::stable_partition(
        idle_.begin(), idle_.end(), [&](const Idle& idle) { return idle.epoch == source.epoch; });
    std::move(old, idle_.end(), std::back_inserter(stale));
    idle_.erase(old, idle_.end());
    if (!idle_.empty()) {
      Lease lease(this, source.epoch, std::move(idle_.back().session));
      idle_.pop_back();
      lock.unlock();
      Close(std::move(stale));
      return lease;
    }
  }
  Close(std::move(stale));
  return Open(source);
}

Result<SessionPool::Lease> SessionPool::Open(const SessionSource& source) {
  auto session = [&]() -> Result<token::Session> {
    const Watchdog::Call call(watchdog_, "C_OpenSession");
    auto module = source.module.lock();
    if (module == nullptr) return Fail(Closed());
    return token::Session::Open(std::move(module), source.slot, false);
  }();
  if (session) {
    return Lease(this, source.epoch, std::make_unique<token::Session>(std::move(*session)));
  }
  bool fewer = false;
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    // The token admits fewer than configured: make do with those it gave.
    fewer = session.error().rv == CKR_SESSION_COUNT && lent_ > 0 && lent_ < limit_;
    if (fewer) limit_ = lent_;
  }
  returned_.notify_all();
  if (fewer) {
    Log(LogLevel::kWarning, "the token admits fewer sessions than configured; working with those");
  }
  return Fail(std::move(session).error());
}

void SessionPool::Return(uint64_t epoch, std::unique_ptr<token::Session> session) {
  {
    const std::lock_guard lock(mutex_);
    --lent_;
    if (session != nullptr) idle_.push_back({epoch, std::move(session)});
  }
  returned_.notify_all();  // a borrower may wait, and Drain
}

void SessionPool::Close(std::vector<Idle> sessions) {
  for (Idle& idle : sessions) {
    const Watchdog::Call call(watchdog_, "C_CloseSession");
    idle.session.reset();
  }
}

bool SessionPool::Drain(Clock::time_point deadline) {
  bool all = false;
  {
    std::unique_lock lock(mutex_);
    drained_ = true;
    returned_.notify_all();
    all = returned_.wait_until(lock, deadline, [&] { return lent_ == 0; });
  }
  CloseIdle();
  return all;
}

void SessionPool::Refill() {
  const std::lock_guard lock(mutex_);
  drained_ = false;
}

void SessionPool::CloseIdle() {
  std::vector<Idle> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(idle_);
  }
  Close(std::move(all));
}

unsigned SessionPool::lent() const {
  const std::lock_guard lock(mutex_);
  return lent_;
}

}  // namespace keybroker::tokenhost
