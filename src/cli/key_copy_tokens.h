#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

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

// SendKey wraps the key of wish by what was agreed {spki, algorithm, hash}; what it gives is the
// answer to kSend.
Result<Json> SendKey(LoggedIn& source, const KeyWish& wish, const Json& agreed);

// Delivery is what the target is to know before it asks.
struct Delivery {
  ArrivingKey key;
  Json ways;                            // of LookAtSource
  TokenIdentity token;                  // the source, which the target must not be itself
  std::optional<Fingerprint> prepared;  // take the receiving key that PrepareTarget made
  Challenge challenge{};                // for ArriveOnToken
};

// What the target asks the command, each once: the field "step" of a question.
inline constexpr std::string_view kHold = "hold";    // the lock, for a key that seems to be there
inline constexpr std::string_view kAgree = "agree";  // to spki, algorithm and hash; and the lock
inline constexpr std::string_view kSend = "send";    // the key, by what was agreed

// ReceiveOnTarget looks for the key, asks the command to agree, looks again now that the command
// has the lock, and only then has the key sent, and puts it on the token (ArriveOnToken). A key
// that is there at either look is compared, and not sent.
Result<Json> ReceiveOnTarget(LoggedIn& target, const Delivery& delivery);

// PrepareTarget makes a receiving key that stays until a copy takes it: its fingerprint and spki.
Result<Json> PrepareTarget(LoggedIn& target);

}  // namespace keybroker::cli
