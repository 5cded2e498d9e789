#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "keybroker/wire/buffer.h"

namespace keybroker::wire {

// AdminVerb is what the operator asks of the broker, on the admin socket only.
enum class AdminVerb : uint8_t {
  kStatus = 1,  // no arguments
  kReload =
      2,     // no arguments: read the configuration again, ask every tokenhost for its keys again
  kWhy = 3,  // listener, key name, mechanism
};

// AdminRequest's body: verb u8, count of arguments u8 (at most 4), each var8 of UTF-8.
struct AdminRequest {
  AdminVerb verb;
  uint8_t argument_count;
  std::array<std::string_view, 4> arguments;
};
void Encode(const AdminRequest& message, Writer& body);
std::optional<AdminRequest> DecodeAdminRequest(Bytes body);

// AdminReply's body: done u8 (1: yes; 0: text says what went wrong), more u8 (1: another AdminReply
// follows and its text continues this one), text var32 of JSON.
struct AdminReply {
  bool done;
  bool more;
  std::string_view text;
};
void Encode(const AdminReply& message, Writer& body);
std::optional<AdminReply> DecodeAdminReply(Bytes body);

}  // namespace keybroker::wire
