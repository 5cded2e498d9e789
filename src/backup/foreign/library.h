#pragma once

#include <openssl/provider.h>

#include "backup/openssl.h"

namespace keybroker::backup {

// LegacyLibrary is an OpenSSL library context of its own with the default and the legacy provider,
// so that the algorithms of old files exist nowhere else in the process, and end with it.
class LegacyLibrary {
 public:
  LegacyLibrary();
  ~LegacyLibrary();
  LegacyLibrary(const LegacyLibrary&) = delete;
  LegacyLibrary& operator=(const LegacyLibrary&) = delete;

  // good is false when there is no memory, or no default provider.
  bool good() const { return default_ != nullptr; }
  OSSL_LIB_CTX* get() const { return context_; }

  // Cipher and Digest fetch by name; nullptr where the providers have none.
  CipherPtr Cipher(const char* name) const;
  DigestPtr Digest(const char* name) const;

  // Missing says why an algorithm is not there.
  const char* Missing() const;

 private:
  OSSL_LIB_CTX* context_;
  OSSL_PROVIDER* default_;
  OSSL_PROVIDER* legacy_;
};

}  // namespace keybroker::backup
