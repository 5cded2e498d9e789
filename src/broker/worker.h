#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/ask_token.h"
#include "broker/auditor.h"
#include "broker/event_set.h"
#include "broker/log_limiter.h"
#include "broker/snapshot.h"
#include "broker/token_link.h"
#include "keybroker/config/settings.h"
#include "keybroker/ipc/message.h"
#include "keybroker/policy/decision.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/sign.h"

namespace keybroker::broker {

// WorkerShare is what all workers have in common; it outlives them.
struct WorkerShare {
  const config::Settings& settings;
  EventSet& events;
  const SnapshotCell& snapshots;
  Auditor& auditor;
  LogLimiter& limiter;
  const std::atomic<bool>& stopping;
};

// Worker is one of the threads that carry requests through: it takes an event, reads the message,
// asks policy, asks the token over its own connection, records, and replies, without handing
// anything to another thread. Its buffers are reused; the way of a signature allocates nothing.
class Worker {
 public:
  explicit Worker(WorkerShare share);

  // Run serves until EventSet::Stop. No exception leaves it.
  void Run();

 private:
  // Turn says what becomes of a connection whose message was dealt with.
  enum class Turn { kArm, kClose, kParked };
  class Place;

  void Accept(Acceptor& acceptor);
  void Refuse(Acceptor& acceptor);
  void Serve(Connection& connection);
  Turn TryHandle(Connection& connection, const ipc::Received& received);
  void End(Connection& connection, Turn turn);
  void ServePlaced(const Placed& placed);
  // Enter takes a place at the token, or uses the one that is held; Leave gives one back.
  bool Enter(const std::shared_ptr<TokenGate>& gate);
  void Leave(std::shared_ptr<TokenGate> gate);
  void GiveBackHeld();
  const View* ViewOf(const Connection& connection);
  void Refresh();
  TokenLink& LinkTo(const std::shared_ptr<TokenGate>& gate);

  Turn Handle(Connection& connection, const ipc::Received& received);
  Turn BadMessage(Connection& connection, const ipc::Received& received, const char* what);
  Turn AnswerHello(Connection& connection, const wire::Frame& frame, const ipc::Received& received,
                   const View& view);
  Turn AnswerCatalogue(Connection& connection, const wire::Frame& frame,
                       const ipc::Received& received, const View& view);
  Turn AnswerSign(Connection& connection, const wire::Frame& frame, const ipc::Received& received,
                  const View& view);
  Turn CarryThrough(Connection& connection, const wire::Header& header,
                    const wire::SignRequest& request, const ViewKey& key, Deed& deed,
                    uint64_t deadline_ms);
  Turn Deny(Connection& connection, const wire::Header& header, policy::Reason reason, Deed deed);
  Turn Fail(Connection& connection, const wire::Header& header, wire::Failure failure);
  Turn Send(Connection& connection, size_t size);

  WorkerShare share_;
  std::vector<uint8_t> receive_;
  std::vector<uint8_t> send_;
  std::vector<uint8_t> token_receive_;
  std::vector<uint8_t> token_send_;
  uint64_t seen_version_ = 0;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unordered_map<TokenGate*, std::pair<std::shared_ptr<TokenGate>, TokenLink>> links_;
  // The token at which the request in hand has a place already.
  std::shared_ptr<TokenGate> held_;
  // Who has got the places that this worker gave back. More than one only when a reload moved the
  // key of a parked request to another token.
  std::vector<Placed> next_;
  UniqueFd spare_;  // given up to accept, and so refuse, when descriptors run out
};

}  // namespace keybroker::broker
