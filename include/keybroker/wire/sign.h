#pragma once

#include <cstdint>
#include <optional>

#include "keybroker/base/error.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/wire/buffer.h"
#include "keybroker/wire/catalogue.h"

namespace keybroker::wire {

// PssParameters is CK_RSA_PKCS_PSS_PARAMS (PKCS#11 v2.40 section 2.1.10) at a width that does not
// depend on the platform; the salt's length in bytes.
struct PssParameters {
  uint32_t hash;
  uint32_t mgf;
  uint32_t salt_length;
};

// SignRequest asks for one signature. Body: key ref 32 bytes, mechanism u32, deadline u64
// (CLOCK_MONOTONIC in milliseconds, 0: none; the receiver caps it), parameters u8 (0: none, 1: PSS
// and then three u32), data var32 of at most kMaxSignData bytes: what the mechanism takes (a
// digest, a DigestInfo, or the message for a mechanism that hashes).
struct SignRequest {
  KeyRef key;
  uint32_t mechanism;
  uint64_t deadline_ms;
  std::optional<PssParameters> pss;
  Bytes data;
};
void Encode(const SignRequest& message, Writer& body);
std::optional<SignRequest> DecodeSignRequest(Bytes body);

// SignReply carries the signature. Body: signature var16 of 1 to kMaxSignature bytes.
struct SignReply {
  Bytes signature;
};
void Encode(const SignReply& message, Writer& body);
std::optional<SignReply> DecodeSignReply(Bytes body);

// Failure answers any request that could not be done. Body, 6 bytes: code u16 (ErrorCode), CK_RV
// u32. Never a text: what the operator should know is in the broker's log.
struct Failure {
  ErrorCode code;
  uint32_t rv;
};

// kDeadlinePassed is the CK_RV of a tokenhost's Failure (unavailable) for a request whose own time
// is over, waiting for a session or before: it says nothing of the token.
inline constexpr uint32_t kDeadlinePassed = CKR_FUNCTION_CANCELED;
void Encode(const Failure& message, Writer& body);
std::optional<Failure> DecodeFailure(Bytes body);

}  // namespace keybroker::wire
