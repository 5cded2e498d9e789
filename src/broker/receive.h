#pragma once

#include <sys/socket.h>

#include <optional>
#include <span>

#include "keybroker/wire/buffer.h"

namespace keybroker::broker {

// Received is one message of a peer together with the kernel's word on who sent it.
struct Received {
  enum class Kind {
    kMessage,
    kNothing,  // no message is waiting
    kEnded,    // the peer has closed
    kHostile,  // a descriptor came with it, or it was longer than any message may be
  };
  Kind kind = Kind::kNothing;
  wire::Bytes message;
  std::optional<ucred> sender;  // empty: the kernel could not tell
};

// Receive takes one message off a non-blocking SEQPACKET socket with SO_PASSCRED. The control
// buffer has room for credentials only, so that the kernel installs no descriptor that a peer
// sends; should one arrive all the same it is closed at once.
Received Receive(int fd, std::span<uint8_t> buffer);

}  // namespace keybroker::broker
