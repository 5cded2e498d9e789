#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "broker/connection.h"
#include "keybroker/base/guarded.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::broker {

// EventSet is the one epoll set that all workers share. Every descriptor in it is EPOLLONESHOT:
// the thread that gets an event owns the thing until it arms it again. Thread-safe.
class EventSet {
 public:
  static Result<std::unique_ptr<EventSet>> Make();
  ~EventSet();

  // Event is what Wait found: one of the two, or neither at the stop.
  struct Event {
    Connection* connection = nullptr;
    std::shared_ptr<Acceptor> acceptor;
    bool stop = false;
  };

  // Wait blocks for one event.
  Event Wait();

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

  UniqueFd epoll_;
  UniqueFd stop_;
  std::atomic<uint64_t> next_id_{1};
  Guarded<std::unordered_map<uint64_t, std::shared_ptr<Acceptor>>> acceptors_;
  Guarded<std::unordered_set<Connection*>> connections_;
};

}  // namespace keybroker::broker
