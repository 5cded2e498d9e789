#pragma once

#include <array>
#include <optional>
#include <string>

#include "cli/arriving_key.h"
#include "cli/key_choice.h"
#include "cli/token_access.h"
#include "cli/token_identity.h"

namespace keybroker::cli {

// What `key copy` does in the process of either token. All that leaves one for the other goes
// through the command, as JSON: public keys and wrapped ones.

using Fingerprint = std::array<uint8_t, 32>;  // SHA-256 of a SubjectPublicKeyInfo

// LookAtSource finds the key, refuses one that is not exportable, and probes by which ways (of
// wrapping it under a content key, and that by RSA-OAEP) the token can send it. Fields: key,
// certificate (hex), ways, token (IdentityJson).
Result<Json> LookAtSource(LoggedIn& source, const policy::CurrentKeys& current,
                          const KeyWish& wish);

// SendKey wraps the key of wish by the target's question {spki, algorithm, hash}; what it gives is
// its answer.
Result<Json> SendKey(LoggedIn& source, const KeyWish& wish, const Json& question);

// Delivery is what the target is to know before it asks.
struct Delivery {
  ArrivingKey key;
  Json ways;                            // of LookAtSource
  TokenIdentity token;                  // the source, which the target must not be itself
  std::optional<Fingerprint> prepared;  // take the receiving key that PrepareTarget made
};

// ReceiveOnTarget asks, and puts what it is answered on the token (ArriveOnToken). A key that is
// there already is compared, and nothing is asked.
Result<Json> ReceiveOnTarget(LoggedIn& target, const Delivery& delivery);

// PrepareTarget makes a receiving key that stays until a copy takes it: its fingerprint and spki.
Result<Json> PrepareTarget(LoggedIn& target);

}  // namespace keybroker::cli
