#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "broker/endpoint.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::broker {

// ListenerState is what outlives a reload: the listener's counters, for `keybroker status`.
struct ListenerState {
  explicit ListenerState(std::string listener) : name(std::move(listener)) {}

  const std::string name;
  std::atomic<uint32_t> connections{0};
  std::atomic<uint64_t> messages{0};  // of any kind, answered or not
  std::atomic<uint64_t> signatures{0};
  std::atomic<uint64_t> denied{0};
  std::atomic<uint64_t> failed{0};        // permitted, but the token or its host did not sign
  std::atomic<uint64_t> bad_messages{0};  // each ended its connection
  std::atomic<uint64_t> connections_refused{0};  // over max_connections
};

// Connection is one accepted connection. The thread that took its event (EPOLLONESHOT) owns it
// until it is armed again or closed; only doomed may be set by others.
struct Connection {
  UniqueFd fd;
  std::shared_ptr<ListenerState> listener;
  uint16_t version = 0;  // negotiated; 0: no Hello yet
  std::atomic<bool> doomed{false};
  std::mutex turn;  // hands the turn over; see EventSet::Arm
};

// Acceptor is one listening socket of a listener.
struct Acceptor {
  UniqueFd fd;
  std::shared_ptr<ListenerState> listener;
  Endpoint endpoint;
  uint64_t id = 0;
};

}  // namespace keybroker::broker
