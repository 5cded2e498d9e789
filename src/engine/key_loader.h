#pragma once

#include <openssl/evp.h>

#include <string>

#include "engine/module.h"
#include "keybroker/credential/reference_format.h"

namespace keybroker::engine {

// SetModulePath sets what MODULE_PATH in the OpenSSL configuration says. Without it the path that
// was compiled in counts.
void SetModulePath(std::string path);

// LoadKey gives the private key a reference names as libp11 makes an EVP_PKEY of it, with a note of
// where the key is (token_key.h). The caller owns it. nullptr: raised. Thread-safe, also across
// fork.
EVP_PKEY* LoadKey(const credential::Reference& reference);

// TheModule is this process's module; it can sign once LoadKey gave a key.
const Module& TheModule();

}  // namespace keybroker::engine
