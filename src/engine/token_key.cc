#include "engine/token_key.h"

#include <openssl/crypto.h>

namespace keybroker::engine {
namespace {

void FreeNote(void*, void* note, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<TokenKey*>(note);
}

int RsaIndex() {
  static const int index = RSA_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeNote);
  return index;
}

int EcIndex() {
  static const int index = EC_KEY_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeNote);
  return index;
}

bool Names(const TokenKey* note, const TokenKey& key) {
  return note != nullptr && note->slot == key.slot && note->id == key.id;
}

}  // namespace

// libp11 gives the same RSA or EC_KEY for every load of a key, and another thread may be signing
// with it: a note that names the key is left alone, even where a forgetful module's handle has
// changed; the signer finds that out.

bool Attach(RSA* rsa, const TokenKey& key) {
  if (Names(AttachedTo(rsa), key)) return true;
  return RSA_set_ex_data(rsa, RsaIndex(), new TokenKey(key)) == 1;
}

bool Attach(EC_KEY* ec, const TokenKey& key) {
  if (Names(AttachedTo(ec), key)) return true;
  return EC_KEY_set_ex_data(ec, EcIndex(), new TokenKey(key)) == 1;
}

const TokenKey* AttachedTo(const RSA* rsa) {
  return rsa == nullptr ? nullptr : static_cast<TokenKey*>(RSA_get_ex_data(rsa, RsaIndex()));
}

const TokenKey* AttachedTo(const EC_KEY* ec) {
  return ec == nullptr ? nullptr : static_cast<TokenKey*>(EC_KEY_get_ex_data(ec, EcIndex()));
}

}  // namespace keybroker::engine
