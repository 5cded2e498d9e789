#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "keybroker/wire/buffer.h"

namespace keybroker::tokenhost {

// Received is one SEQPACKET message, or why there is none.
struct Received {
  enum class Kind {
    kMessage,
    kEnd,          // the peer closed
    kTooLong,      // longer than the buffer
    kDescriptors,  // the peer passed file descriptors: they are closed
    kNobody,       // the kernel did not say who sent it
    kFailed,       // recvmsg failed
  };
  Kind kind = Kind::kFailed;
  wire::Bytes bytes;  // in the caller's buffer
  uid_t uid = static_cast<uid_t>(-1);
  pid_t pid = 0;
};

// Receive waits for one message with its SCM_CREDENTIALS. Descriptors are never taken.
Received Receive(int fd, std::span<uint8_t> buffer);

// Send sends one whole message; false when the peer is gone or does not read.
bool Send(int fd, wire::Bytes message);

}  // namespace keybroker::tokenhost
