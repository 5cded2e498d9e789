#include "keybroker/wire/hello.h"

#include "keybroker/wire/frame.h"

namespace keybroker::wire {

void Encode(const Hello& message, Writer& body) {
  body.U16(message.min_version);
  body.U16(message.max_version);
}

std::optional<Hello> DecodeHello(Bytes bytes) {
  Reader body(bytes);
  Hello message{};
  message.min_version = body.U16();
  message.max_version = body.U16();
  if (!body.ok() || message.min_version == 0 || message.min_version > message.max_version) {
    return std::nullopt;
  }
  return message;
}

std::optional<uint16_t> NegotiateVersion(const Hello& hello, uint16_t min_version,
                                         uint16_t max_version) {
  const uint16_t version = hello.max_version < max_version ? hello.max_version : max_version;
  if (version < hello.min_version || version < min_version) return std::nullopt;
  return version;
}

void Encode(const HelloReply& message, Writer& body) {
  body.U16(message.version);
  body.U8(message.token_present ? 1 : 0);
  body.U64(message.generation);
  body.Var8(AsBytes(message.listener));
}

std::optional<HelloReply> DecodeHelloReply(Bytes bytes) {
  Reader body(bytes);
  HelloReply message{};
  message.version = body.U16();
  const uint8_t present = body.U8();
  message.token_present = present == 1;
  message.generation = body.U64();
  message.listener = AsText(body.Var8(kMaxName));
  if (!body.ok() || present > 1 || message.version == 0 || message.generation == 0) {
    return std::nullopt;
  }
  return message;
}

}  // namespace keybroker::wire
