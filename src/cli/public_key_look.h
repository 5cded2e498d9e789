#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/key_choice.h"
#include "cli/token_access.h"
#include "cli/token_identity.h"

namespace keybroker::cli {

// PublicKeyLook is what a token shows of a key.
struct PublicKeyLook {
  std::string from;  // configured name of the token
  TokenIdentity token;
  Json key;                          // KeyJson; without a login only its public part says something
  std::vector<uint8_t> certificate;  // DER; empty: none
};

// LookAtPublicKey finds the key that is meant: without a login where a token shows public keys to
// everybody, else as other commands do (PrepareForKey). With several tokens and none named, the one
// that has the key; WrongUsage when several have it.
Result<PublicKeyLook> LookAtPublicKey(const config::Settings& settings, const TokenOptions& options,
                                      const KeyWish& wish);

}  // namespace keybroker::cli
