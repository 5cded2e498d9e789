#include "keybroker/wire/admin.h"

#include "keybroker/wire/frame.h"

namespace keybroker::wire {

void Encode(const AdminRequest& message, Writer& body) {
  body.U8(static_cast<uint8_t>(message.verb));
  body.U8(message.argument_count);
  for (size_t i = 0; i < message.argument_count && i < message.arguments.size(); ++i) {
    body.Var8(AsBytes(message.arguments[i]));
  }
}

std::optional<AdminRequest> DecodeAdminRequest(Bytes bytes) {
  Reader body(bytes);
  AdminRequest message{};
  const uint8_t verb = body.U8();
  message.verb = static_cast<AdminVerb>(verb);
  message.argument_count = body.U8();
  if (message.argument_count > message.arguments.size()) return std::nullopt;
  for (size_t i = 0; i < message.argument_count; ++i) {
    message.arguments[i] = AsText(body.Var8(kMaxName));
  }
  const bool known = verb >= static_cast<uint8_t>(AdminVerb::kStatus) &&
                     verb <= static_cast<uint8_t>(AdminVerb::kWhy);
  if (!body.Done() || !known) return std::nullopt;
  return message;
}

void Encode(const AdminReply& message, Writer& body) {
  body.U8(message.done ? 1 : 0);
  body.U8(message.more ? 1 : 0);
  body.Var32(AsBytes(message.text));
}

std::optional<AdminReply> DecodeAdminReply(Bytes bytes) {
  Reader body(bytes);
  const uint8_t done = body.U8();
  const uint8_t more = body.U8();
  const std::string_view text = AsText(body.Var32(kMaxText));
  if (!body.Done() || done > 1 || more > 1) return std::nullopt;
  return AdminReply{done == 1, more == 1, text};
}

}  // namespace keybroker::wire
