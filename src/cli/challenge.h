#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/credential/sign_message.h"
#include "keybroker/token/session.h"

namespace keybroker::cli {

// A challenge is how a command learns that a token has a private key. It makes the challenge, the
// token's process answers, and the command verifies: in that process a vendor's module could say
// what it likes.

// Challenge is random bytes for one answer.
using Challenge = std::array<uint8_t, 32>;

Result<Challenge> NewChallenge();

// PublicKeyOf takes the size from the DER SubjectPublicKeyInfo; Malformed when that is none.
Result<credential::PublicKey> PublicKeyOf(cryptoki::KeyType type, const std::vector<uint8_t>& spki);

// AnswerChallenge has a private key sign the challenge, in the token's process: in hexadecimal, as
// it goes into that one's JSON. context_pin for a key with CKA_ALWAYS_AUTHENTICATE, else nullptr.
Result<std::string> AnswerChallenge(const token::Session& session, CK_OBJECT_HANDLE private_key,
                                    const credential::PublicKey& key, const Challenge& challenge,
                                    const Secret* context_pin);

// IsAnswer tells whether answer is that of key, in the command's own process.
bool IsAnswer(const credential::PublicKey& key, const Challenge& challenge,
              const std::string& answer);

// NoAnswer is the error where it is not; key is "the key on record".
Error NoAnswer(const std::string& key);

}  // namespace keybroker::cli
