#pragma once

#include <openssl/engine.h>
#include <openssl/evp.h>

#include <string_view>

namespace keybroker::engine {

inline constexpr char kEngineId[] = "keybroker";

// RegisterReferenceMethod makes OpenSSL read our private key algorithm: PEM_read_bio_PrivateKey,
// when no decoder knows the OID, asks the EVP_PKEY_ASN1_METHOD of that OID. Idempotent; the method
// stays for the life of the process. False when OpenSSL refuses it.
bool RegisterReferenceMethod();

// LoadPrivateKey is the engine's load function, for listeners that name a key by engine: name is a
// reference URI or the path of a reference file. nullptr: raised.
EVP_PKEY* LoadPrivateKey(ENGINE* engine, const char* name, UI_METHOD*, void*);

}  // namespace keybroker::engine
