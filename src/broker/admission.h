#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "broker/round_robin.h"

namespace keybroker::broker {

struct Connection;

// Parked is a request that waits until its token has room. Whoever holds it owns the connection's
// turn: nothing else reads from that connection meanwhile, so that at most one request of each
// connection is parked.
struct Parked {
  Connection* connection = nullptr;
  ucred sender{};
  uint32_t request_id = 0;
  uint64_t deadline_ms = 0;
  std::vector<uint8_t> message;
};

// LineOf is the listener that a parked request came to.
const void* LineOf(const Parked& request);

// Admission bounds how many workers one token may occupy (PlacesAtEach), so that tokens that hang
// leave the others theirs. What does not get in is parked, not refused, and gets in by turns of the
// listeners. Nobody passes those who wait: a place that is given back goes to one of them.
class Admission {
 public:
  // SetLimit: 0 is no limit, as with a single token.
  void SetLimit(unsigned limit) { limit_.store(limit, std::memory_order_relaxed); }

  // Enter takes a place if there is one and nobody waits for it; the caller gives it back.
  bool Enter();

  // Leave gives a place back, or on: to the parked request that it returns.
  std::optional<Parked> Leave();

  // EnterOrPark takes a place (true) or parks the request (false): decided in one step, so that
  // what is parked is always behind somebody who will Leave.
  bool EnterOrPark(Parked&& request);

  // TakeExpired gives those whose deadline has passed; TakeAll gives all, when the token is gone.
  std::vector<Parked> TakeExpired(uint64_t now_ms);
  std::vector<Parked> TakeAll() { return TakeExpired(UINT64_MAX); }

  unsigned in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  bool HasParked() const { return parked_count_.load(std::memory_order_relaxed) != 0; }

 private:
  bool TakePlace();

  std::atomic<unsigned> limit_{0};
  std::atomic<unsigned> in_flight_{0};
  std::atomic<size_t> parked_count_{0};
  std::mutex mutex_;
  RoundRobin<Parked> parked_;
};

}  // namespace keybroker::broker
