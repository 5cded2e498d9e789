#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "broker/token_gate.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"

namespace keybroker::broker {

// Trip is how a round trip to a tokenhost ended.
enum class Trip {
  kReply,     // a reply was decoded
  kNotThere,  // there is no connection any more: nothing was sent
  kLost,      // the connection ended or spoke nonsense after the request was sent
  kTimedOut,  // no reply in time; the connection was given up, so that a late one cannot be taken
              // for the next
};

// TokenLink is one thread's own connection to one tokenhost: one send and one receive per round
// trip, no lock. It connects when it is needed; what the tokenhost says is as hostile as what a
// listener says.
class TokenLink {
 public:
  // stopping ends waiting early when the broker is told to stop. The gate outlives the link.
  TokenLink(TokenGate& gate, const std::atomic<bool>& stopping)
      : gate_(gate), stopping_(stopping) {}

  TokenGate& gate() { return gate_; }
  bool connected() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  // Connect connects and says Hello unless that is done. receive is a scratch buffer.
  bool Connect(std::span<uint8_t> receive, uint64_t until_ms);

  // hello is what the tokenhost said when it was connected.
  struct Greeting {
    bool token_present = false;
    uint64_t generation = 0;
  };
  const Greeting& greeting() const { return greeting_; }

  // NextHeader is the header of the next request.
  wire::Header NextHeader(wire::MessageType type);

  // RoundTrip sends a finished message whose header came from NextHeader, and waits for its reply,
  // which points into receive. Connected or not, it never waits past until_ms (give or take the
  // 50 ms slices it waits in).
  Trip RoundTrip(wire::Bytes message, std::span<uint8_t> receive, uint64_t until_ms,
                 wire::Frame* reply);

  void Close() { fd_.Reset(); }

 private:
  bool Send(wire::Bytes message, uint64_t until_ms);
  Trip Receive(std::span<uint8_t> receive, uint64_t until_ms, wire::Frame* reply);
  bool SayHello(std::span<uint8_t> receive, uint64_t until_ms);

  TokenGate& gate_;
  const std::atomic<bool>& stopping_;
  UniqueFd fd_;
  uint16_t version_ = 0;
  uint32_t request_id_ = 0;
  Greeting greeting_;
};

}  // namespace keybroker::broker
