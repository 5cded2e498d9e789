#pragma once

#include <span>

#include "keybroker/wire/frame.h"
#include "module/process.h"

namespace keybroker::module {

// Exchange is one request and what to do with its answer. The functions get self.
struct Exchange {
  std::span<uint8_t> message;  // the whole request; its header is patched for each connection
  std::span<uint8_t> buffer;   // for the reply, of at most that many bytes
  wire::MessageType reply;     // the type of the answer, unless it is a Failure
  void* self;

  // accept reads the answer's body. False when it is malformed: the connection is dropped, and the
  // request made again on another.
  bool (*accept)(void* self, wire::Bytes body);

  // answered, where given, is asked when a new connection was made: true when its HelloReply has
  // already told all that the request would.
  bool (*answered)(void* self);
};

// Ask carries an exchange through: on an idle connection or a new one, and on yet another when it
// is lost on the way, within the process's budget. CKR_OK when the answer was accepted; the CK_RV
// of a Failure; CKR_DEVICE_ERROR when there is no broker; CKR_CRYPTOKI_NOT_INITIALIZED when
// C_Finalize came in between. No lock of the process may be held.
CK_RV Ask(const Call& call, const Exchange& exchange);

}  // namespace keybroker::module
