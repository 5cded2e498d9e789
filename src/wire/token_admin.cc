#include "keybroker/wire/token_admin.h"

#include "keybroker/wire/frame.h"

namespace keybroker::wire {

std::string_view TokenStateName(TokenState state) {
  switch (state) {
    case TokenState::kStarting:
      return "starting";
    case TokenState::kReady:
      return "ready";
    case TokenState::kLocked:
      return "locked";
    case TokenState::kAbsent:
      return "absent";
    case TokenState::kFailed:
      return "failed";
    case TokenState::kLent:
      return "lent";
  }
  return "unknown";
}

void Encode(const TokenStatus& message, Writer& body) {
  body.U8(static_cast<uint8_t>(message.state));
  body.U32(message.pid);
  body.U64(message.generation);
  body.U32(message.keys);
  body.Var8(AsBytes(message.label));
  body.Var8(AsBytes(message.serial));
  body.Var8(AsBytes(message.model));
  body.Var16(AsBytes(message.detail.substr(0, kMaxDetail)));
}

std::optional<TokenStatus> DecodeTokenStatus(Bytes bytes) {
  Reader body(bytes);
  TokenStatus message{};
  const uint8_t state = body.U8();
  message.state = static_cast<TokenState>(state);
  message.pid = body.U32();
  message.generation = body.U64();
  message.keys = body.U32();
  message.label = AsText(body.Var8(kMaxName));
  message.serial = AsText(body.Var8(kMaxName));
  message.model = AsText(body.Var8(kMaxName));
  message.detail = AsText(body.Var16(kMaxDetail));
  const bool known = state >= static_cast<uint8_t>(TokenState::kStarting) &&
                     state <= static_cast<uint8_t>(TokenState::kLent);
  if (!body.Done() || !known) return std::nullopt;
  return message;
}

void Encode(const UnlockRequest& message, Writer& body) { body.Var16(message.pin); }

std::optional<UnlockRequest> DecodeUnlockRequest(Bytes bytes) {
  Reader body(bytes);
  UnlockRequest message{};
  message.pin = body.Var16(kMaxPin);
  if (!body.Done()) return std::nullopt;
  return message;
}

}  // namespace keybroker::wire
