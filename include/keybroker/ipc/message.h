#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>

#include "keybroker/base/result.h"

namespace keybroker::ipc {

// Received is one message of a peer together with the kernel's word on who sent it.
struct Received {
  enum class Kind {
    kMessage,
    kNothing,      // no message is waiting, or none came in time
    kEnd,          // the peer has closed, or the connection is broken
    kTooLong,      // longer than the buffer
    kDescriptors,  // the peer passed descriptors: none was taken
  };
  Kind kind = Kind::kNothing;
  std::span<const uint8_t> message;  // in the caller's buffer
  std::optional<ucred> sender;       // empty: the kernel could not tell
};

// WantCredentials has the kernel say with each message who sent it (SO_PASSCRED). Connections that
// a listening socket accepts inherit it.
Status WantCredentials(int fd);

// Receive takes one message, waiting as fd does: not at all when it is non-blocking. It is one
// system call, and allocates nothing. The control buffer has room for credentials only, so that the
// kernel installs no descriptor that a peer sends; should one arrive all the same it is closed.
Received Receive(int fd, std::span<uint8_t> buffer);

// Send sends one whole message, waiting as fd does. Fails Unavailable or Denied, in the system's
// words, when the peer is gone or does not read.
Status Send(int fd, std::span<const uint8_t> message);

}  // namespace keybroker::ipc
