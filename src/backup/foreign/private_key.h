#pragma once

#include "backup/foreign/library.h"
#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

// Decode makes a key of DER in the library's context; nullptr when it does not parse, or is of a
// kind that OpenSSL does not know. DecodePkcs8 takes a PrivateKeyInfo, whole and nothing after it.
EvpKey DecodePkcs8(const LegacyLibrary& library, token::Bytes der);
EvpKey DecodePkcs8(const LegacyLibrary& library, const PKCS8_PRIV_KEY_INFO* info);
EvpKey DecodeTraditional(const LegacyLibrary& library, token::Bytes der, bool ec);

// TakeKey checks the key's kind, size and numbers, and writes it into found as PKCS#8.
KeyFileResult<void> TakeKey(const LegacyLibrary& library, EVP_PKEY* key, bool allow_weak,
                            ForeignKey* found);

}  // namespace keybroker::backup
