#include "broker/admission.h"

#include <utility>

#include "broker/connection.h"

namespace keybroker::broker {

const void* LineOf(const Parked& request) { return request.connection->listener.get(); }

bool Admission::TakePlace() {
  const unsigned limit = limit_.load(std::memory_order_relaxed);
  if (in_flight_.fetch_add(1) < limit || limit == 0) return true;
  in_flight_.fetch_sub(1);
  return false;
}

bool Admission::Enter() { return parked_count_.load() == 0 && TakePlace(); }

std::optional<Parked> Admission::Leave() {
  in_flight_.fetch_sub(1);
  if (parked_count_.load() == 0) return std::nullopt;
  std::lock_guard lock(mutex_);
  if (parked_.empty() || !TakePlace()) return std::nullopt;
  parked_count_.fetch_sub(1);
  return parked_.Pop();
}

bool Admission::EnterOrPark(Parked&& request) {
  std::lock_guard lock(mutex_);
  const bool alone = parked_.empty();
  parked_.Push(std::move(request));
  // Counted before the second look: a Leave in between is seen here, one after it sees the count.
  parked_count_.fetch_add(1);
  if (!alone || !TakePlace()) return false;
  parked_.Pop();
  parked_count_.fetch_sub(1);
  return true;
}

std::vector<Parked> Admission::TakeExpired(uint64_t now_ms) {
  std::lock_guard lock(mutex_);
  auto expired = parked_.TakeIf([&](const Parked& one) { return one.deadline_ms <= now_ms; });
  parked_count_.fetch_sub(expired.size());
  return expired;
}

}  // namespace keybroker::broker
