#pragma once

#include <openssl/engine.h>

namespace keybroker::engine {

// InstallSignMethods gives the engine its EVP_PKEY_METHODs for RSA and EC: copies of libp11's, a
// pair for each ENGINE, that sign as sign.h says. OpenSSL frees an engine's methods with it, and
// libp11's own are static, so that handing those out breaks every other engine of the process.
// False when out of memory.
bool InstallSignMethods(ENGINE* engine);

}  // namespace keybroker::engine
