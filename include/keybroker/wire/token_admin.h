#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "keybroker/wire/buffer.h"

namespace keybroker::wire {

// TokenState is how a tokenhost stands with its token.
enum class TokenState : uint8_t {
  kStarting = 1,  // not logged in yet
  kReady = 2,     // logged in, signing
  kLocked = 3,    // the PIN guard forbids a login, or no PIN is known: token unlock
  kAbsent = 4,    // no such token in any slot of the module
  kFailed = 5,    // the module or token answers with errors
  kLent = 6,      // let go of for an operator's command, and taken back when that ends
};

// TokenStateName is the state's word in logs, status and --json, such as "ready" or "locked".
std::string_view TokenStateName(TokenState state);

// A TokenStatusRequest has an empty body.

// A BorrowRequest has an empty body too: the tokenhost lets go of the token until the connection
// ends. Answered by a TokenStatus with type kBorrowReply; in kLent the token is free.

// TokenStatus answers them, and an Unlock. Body: state u8, pid u32, catalogue generation u64, keys
// u32, then var8 each: label, serial, model; and var16: what is wrong and what to do, at most
// kMaxDetail bytes, of which Encode writes no more (never a secret).
struct TokenStatus {
  TokenState state;
  uint32_t pid;
  uint64_t generation;
  uint32_t keys;
  std::string_view label;
  std::string_view serial;
  std::string_view model;
  std::string_view detail;
};
void Encode(const TokenStatus& message, Writer& body);
std::optional<TokenStatus> DecodeTokenStatus(Bytes body);

// UnlockRequest lifts the PIN guard on the operator's word. Body: PIN var16 of at most kMaxPin
// bytes; empty: try the configured PIN source once more. Answered by a TokenStatus with type
// kUnlockReply. The buffers that carry it must be wiped after use.
struct UnlockRequest {
  Bytes pin;
};
void Encode(const UnlockRequest& message, Writer& body);
std::optional<UnlockRequest> DecodeUnlockRequest(Bytes body);

}  // namespace keybroker::wire
