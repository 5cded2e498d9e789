#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/admission.h"
#include "broker/connection.h"
#include "broker/round_robin.h"
#include "keybroker/base/guarded.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::broker {

class TokenGate;

// Placed is a parked request that has got a place at its token.
struct Placed {
  std::shared_ptr<TokenGate> gate;
  Parked request;
};

// EventSet is the one epoll set that all workers share. Every descriptor in it is EPOLLONESHOT:
// the thread that gets an event owns the thing until it arms it again. Thread-safe.
//
// While some worker is idle, epoll hands out events as they come. Once none is, whoever comes next
// collects all that epoll has, and the listeners take turns: however many connections of one have
// something to say, a message of another waits one turn of each listener, not one of each message.
class EventSet {
 public:
  static Result<std::unique_ptr<EventSet>> Make();
  ~EventSet();

  // Event is what a worker deals with next: one of the first three, or the stop.
  struct Event {
    Connection* connection = nullptr;
    std::shared_ptr<Acceptor> acceptor;
    std::optional<Placed> placed;
    bool stop = false;
  };

  // Wait blocks for one event. placed is what the caller could go on with: Wait takes from it what
  // it returns, now or in its listener's turn, and then perhaps to another worker.
  Event Wait(std::vector<Placed>& placed);

  // Stop makes every Wait, now and later, return a stop.
  void Stop();

  // AddAcceptor begins to watch a listening socket and gives its number. RemoveAcceptor ends that:
  // nobody connects any more, and the socket is closed once no thread holds it.
  uint64_t AddAcceptor(std::shared_ptr<Acceptor> acceptor);
  void RemoveAcceptor(uint64_t id);
  void Arm(const Acceptor& acceptor);

  // Adopt takes a new connection in and arms it; false: it was closed at once (no memory).
  bool Adopt(std::unique_ptr<Connection> connection);
  void Arm(Connection& connection);
  void Close(Connection* connection);

  // Doom ends all connections of a listener: each is closed by the thread whose turn it has.
  void Doom(const ListenerState& listener);

 private:
  EventSet(UniqueFd epoll, UniqueFd stop) : epoll_(std::move(epoll)), stop_(std::move(stop)) {}

  std::optional<Event> EventOf(uint64_t word);
  void GiveBack(const Event& event);
  bool Collect();
  std::optional<Event> NextTurn(std::vector<Placed>& placed);

  UniqueFd epoll_;
  UniqueFd stop_;
  // Only a worker that finds none idle fills ready_, and none becomes idle before it is empty.
  std::mutex ready_mutex_;
  RoundRobin<Event> ready_;
  unsigned idle_ = 0;
  std::atomic<uint64_t> next_id_{1};
  Guarded<std::unordered_map<uint64_t, std::shared_ptr<Acceptor>>> acceptors_;
  Guarded<std::unordered_set<Connection*>> connections_;
};

// LineOf is the listener that an event is about.
const void* LineOf(const EventSet::Event& event);

}  // namespace keybroker::broker
