#pragma once

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <string>

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::engine {

// TokenKey is where a private key is. The keybroker module derives the handle from the key alone,
// so that it means the same after a fork, a restart of the broker, and a change of the key's label;
// for modules that forget handles there is the id.
struct TokenKey {
  CK_SLOT_ID slot;
  CK_OBJECT_HANDLE handle;
  std::string id;  // CKA_ID
};

// Attach notes on OpenSSL's key where its private key is; the key keeps the note while it lives.
// False when out of memory. AttachedTo gives the note, or nullptr.
bool Attach(RSA* rsa, const TokenKey& key);
bool Attach(EC_KEY* ec, const TokenKey& key);
const TokenKey* AttachedTo(const RSA* rsa);
const TokenKey* AttachedTo(const EC_KEY* ec);

}  // namespace keybroker::engine
