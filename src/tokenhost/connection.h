#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keybroker/ipc/message.h"
#include "keybroker/wire/frame.h"
#include "tokenhost/peer_rights.h"
#include "tokenhost/signer.h"

namespace keybroker::tokenhost {

// Services is what a connection serves from; all of it outlives every connection.
struct Services {
  const std::string& token;  // its name
  PeerRights rights;
  TokenKeeper& keeper;
  StandingBoard& board;
  Signer& signer;
  LineBudget& lines;  // for what peers do wrong
};

// Connection speaks docs/protocol.md with one peer, on one thread: a message, its answer, the next.
class Connection {
 public:
  Connection(const Services& services, int fd);

  // Serve returns when the peer is gone, or did what ends its connection: a frame that does not
  // parse, a message it may not send, a passed descriptor. Each such end is logged once.
  void Serve();

 private:
  bool Answer(const ipc::Received& received);
  bool OnHello(const wire::Frame& frame);
  bool OnCatalogue(const wire::Frame& frame);
  bool OnSign(const wire::Frame& frame);
  bool OnStatus(const wire::Frame& frame);
  bool OnUnlock(const wire::Frame& frame);
  bool OnBorrow(const wire::Frame& frame, const ucred& sender);

  bool SendStatus(wire::MessageType type, uint32_t request_id);
  bool SendFailure(const wire::Header& request, ErrorCode code, CK_RV rv);
  // Reply sends a message whose body write writes.
  template <typename Write>
  bool Reply(const wire::Header& header, Write write);
  bool End(const ipc::Received& received, const std::string& why);

  const Services& services_;
  const int fd_;
  std::vector<uint8_t> in_;
  std::vector<uint8_t> out_;
  std::optional<TokenKeeper::Loan> loan_;  // what the peer borrowed, until it goes
  uint16_t version_ = 0;                   // agreed on by Hello; 0: not yet
  std::string_view
      fault_;  // why the message in hand ends the connection, where it is not malformed
};

}  // namespace keybroker::tokenhost
