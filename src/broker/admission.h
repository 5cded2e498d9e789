#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

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

// Admission bounds how many workers one token may occupy, so that a token that hangs leaves some
// for the others. What does not get in is parked, not refused.
class Admission {
 public:
  // SetLimit: 0 is no limit, as with a single token.
  void SetLimit(unsigned limit) { limit_.store(limit, std::memory_order_relaxed); }

  // Enter takes a place if there is one; the caller gives it back with Leave.
  bool Enter();
  void Leave();

  // EnterOrPark takes a place (true) or parks the request (false): decided in one step, so that
  // what is parked is always behind somebody who will Leave.
  bool EnterOrPark(Parked&& request);

  // TakeOne gives a parked request when there is room for it; Enter again before it is served.
  std::optional<Parked> TakeOne();

  // TakeExpired gives those whose deadline has passed. TakeAll gives all, at the end.
  std::vector<Parked> TakeExpired(uint64_t now_ms);
  std::vector<Parked> TakeAll();

  unsigned in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  bool HasParked() const { return parked_count_.load(std::memory_order_relaxed) != 0; }

 private:
  std::atomic<unsigned> limit_{0};
  std::atomic<unsigned> in_flight_{0};
  std::atomic<size_t> parked_count_{0};
  std::mutex mutex_;
  std::deque<Parked> parked_;
};

}  // namespace keybroker::broker
