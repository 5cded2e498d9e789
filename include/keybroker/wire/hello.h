#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "keybroker/wire/buffer.h"

namespace keybroker::wire {

// Hello opens a connection: the versions the caller speaks. Body, 4 bytes or more: min version u16,
// max version u16. What follows is ignored, so that later versions can add to it; Hello's own
// layout never changes, and its header says version 0.
struct Hello {
  uint16_t min_version;
  uint16_t max_version;
};
void Encode(const Hello& message, Writer& body);
std::optional<Hello> DecodeHello(Bytes body);

// NegotiateVersion is the highest version that both sides speak; nothing when there is none.
std::optional<uint16_t> NegotiateVersion(const Hello& hello, uint16_t min_version,
                                         uint16_t max_version);

// HelloReply answers it. Body: version u16, token present u8 (0 or 1), catalogue generation u64,
// listener name var8. What follows is ignored, as in Hello. A generation names one state of the
// catalogue and is never 0; it is not comparable with that of another connection's listener.
struct HelloReply {
  uint16_t version;
  bool token_present;
  uint64_t generation;
  std::string_view listener;
};
void Encode(const HelloReply& message, Writer& body);
std::optional<HelloReply> DecodeHelloReply(Bytes body);

}  // namespace keybroker::wire
