#pragma once

#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/token/session.h"

namespace keybroker::token {

// kKekLabel is CKA_LABEL of the KEKs of backups, so that one which a token kept, against
// CKA_TOKEN false, is found.
inline constexpr char kKekLabel[] = "keybroker-kek";

// Leftover is an object of no use that a command left on the token when it was killed.
struct Leftover {
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  std::vector<uint8_t> id;  // CKA_ID; empty: it has none
  bool kek = false;
  std::string text;  // what it is, for a person
};

// FindLeftovers gives them. They are told by what they hold, never by their names alone: a private
// key object without CKA_MODULUS or CKA_EC_PARAMS that the token cannot sign with, a public key
// object without public key, and a KEK. A key that may not sign, or a token that cannot just now,
// proves nothing. A token in trouble may still answer CKR_GENERAL_ERROR for a key whose public part
// it hides, so a person is to see what is found before it is removed.
// SoftHSM 2.6.1 leaves the first two when it is killed within C_UnwrapKey or C_CreateObject: it
// writes an object of default attributes, then its template, then the key.
Result<std::vector<Leftover>> FindLeftovers(const Session& session);

// RemoveLeftovers destroys what FindLeftovers finds, and gives it: what a person has agreed to. The
// session must be read-write, here and below.
Result<std::vector<Leftover>> RemoveLeftovers(const Session& session);

// RemoveLeftoversOf destroys no more than the KEKs and what has this CKA_ID: for a restore, which
// puts that very key there next.
Result<std::vector<Leftover>> RemoveLeftoversOf(const Session& session, Bytes id);

}  // namespace keybroker::token
