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
  std::string text;  // what it is, for a person
};

// FindLeftovers gives them. They are told by what they hold, never by their names alone: a private
// key object without CKA_MODULUS or CKA_EC_PARAMS that the token cannot sign with, a public key
// object without public key, and a KEK. A key that another program made, however odd, is none.
// SoftHSM 2.6.1 leaves the first two when it is killed within C_UnwrapKey or C_CreateObject: it
// writes an object of default attributes, then its template, then the key.
Result<std::vector<Leftover>> FindLeftovers(const Session& session);

// RemoveLeftovers destroys what FindLeftovers finds, and gives it. The session must be read-write.
Result<std::vector<Leftover>> RemoveLeftovers(const Session& session);

}  // namespace keybroker::token
