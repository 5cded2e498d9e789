#include "broker/admission.h"

#include <iterator>
#include <utility>

namespace keybroker::broker {

bool Admission::Enter() {
  const unsigned limit = limit_.load(std::memory_order_relaxed);
  if (in_flight_.fetch_add(1) < limit || limit == 0) return true;
  in_flight_.fetch_sub(1);
  return false;
}

void Admission::Leave() { in_flight_.fetch_sub(1); }

bool Admission::EnterOrPark(Parked&& request) {
  std::lock_guard lock(mutex_);
  // Counted before the second look: a Leave in between is seen here, one after it sees the count.
  parked_count_.fetch_add(1);
  if (Enter()) {
    parked_count_.fetch_sub(1);
    return true;
  }
  parked_.push_back(std::move(request));
  return false;
}

std::optional<Parked> Admission::TakeOne() {
  if (parked_count_.load() == 0) return std::nullopt;
  std::lock_guard lock(mutex_);
  const unsigned limit = limit_.load(std::memory_order_relaxed);
  if (parked_.empty() || (limit != 0 && in_flight_.load() >= limit)) return std::nullopt;
  Parked request = std::move(parked_.front());
  parked_.pop_front();
  parked_count_.fetch_sub(1);
  return request;
}

std::vector<Parked> Admission::TakeExpired(uint64_t now_ms) {
  std::vector<Parked> expired;
  std::lock_guard lock(mutex_);
  for (auto it = parked_.begin(); it != parked_.end();) {
    if (it->deadline_ms > now_ms) {
      ++it;
      continue;
    }
    expired.push_back(std::move(*it));
    it = parked_.erase(it);
    parked_count_.fetch_sub(1);
  }
  return expired;
}

std::vector<Parked> Admission::TakeAll() {
  std::lock_guard lock(mutex_);
  std::vector<Parked> all(std::make_move_iterator(parked_.begin()),
                          std::make_move_iterator(parked_.end()));
  parked_.clear();
  parked_count_.store(0);
  return all;
}

}  // namespace keybroker::broker
