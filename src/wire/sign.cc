#include "keybroker/wire/sign.h"

namespace keybroker::wire {

void Encode(const SignRequest& message, Writer& body) {
  body.Raw(message.key);
  body.U32(message.mechanism);
  body.U64(message.deadline_ms);
  body.U8(message.pss ? 1 : 0);
  if (message.pss) {
    body.U32(message.pss->hash);
    body.U32(message.pss->mgf);
    body.U32(message.pss->salt_length);
  }
  body.Var32(message.data);
}

std::optional<SignRequest> DecodeSignRequest(Bytes bytes) {
  Reader body(bytes);
  SignRequest message{};
  const Bytes key = body.Raw(kKeyRefSize);
  if (key.size() == kKeyRefSize) memcpy(message.key.data(), key.data(), kKeyRefSize);
  message.mechanism = body.U32();
  message.deadline_ms = body.U64();
  const uint8_t parameters = body.U8();
  if (parameters == 1) {
    PssParameters pss{};
    pss.hash = body.U32();
    pss.mgf = body.U32();
    pss.salt_length = body.U32();
    message.pss = pss;
  }
  message.data = body.Var32(kMaxSignData);
  if (!body.Done() || parameters > 1) return std::nullopt;
  return message;
}

void Encode(const SignReply& message, Writer& body) { body.Var16(message.signature); }

std::optional<SignReply> DecodeSignReply(Bytes bytes) {
  Reader body(bytes);
  SignReply message{};
  message.signature = body.Var16(kMaxSignature);
  if (!body.Done() || message.signature.empty()) return std::nullopt;
  return message;
}

void Encode(const Failure& message, Writer& body) {
  body.U16(static_cast<uint16_t>(message.code));
  body.U32(message.rv);
}

std::optional<Failure> DecodeFailure(Bytes bytes) {
  Reader body(bytes);
  const uint16_t code = body.U16();
  const uint32_t rv = body.U32();
  const bool known = code >= static_cast<uint16_t>(ErrorCode::kDenied) &&
                     code <= static_cast<uint16_t>(ErrorCode::kConflict);
  if (!body.Done() || !known) return std::nullopt;
  return Failure{static_cast<ErrorCode>(code), rv};
}

}  // namespace keybroker::wire
