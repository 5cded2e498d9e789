#pragma once

#include <optional>

#include "backup/foreign/library.h"
#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

// KeyManagerFile is where the parts of a Key Manager backup file (docs/import.md) are in its bytes.
struct KeyManagerFile {
  token::Bytes ciphertext;  // RC4 of a PrivateKeyInfo
  std::optional<credential::Certificate> certificate;
  bool certificate_lost = false;  // one is announced, and none parses
};

// FindKeyManager looks for the key among whatever precedes and follows it. Nothing: the bytes are
// no such file. kTruncated, kDamaged: it begins like one.
KeyFileResult<std::optional<KeyManagerFile>> FindKeyManager(token::Bytes bytes);

// KeyManagerKey is the decrypted PrivateKeyInfo, and which of the two ways of encryption fitted.
struct KeyManagerKey {
  Secret pkcs8;
  bool sgc = false;
};

// OpenKeyManager decrypts it. The format has no MAC: what parses as an RSA PrivateKeyInfo counts.
KeyFileResult<KeyManagerKey> OpenKeyManager(const LegacyLibrary& library, token::Bytes ciphertext,
                                            const Secret& password);

}  // namespace keybroker::backup
