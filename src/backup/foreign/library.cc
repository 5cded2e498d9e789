#include "backup/foreign/library.h"

#include <openssl/err.h>

namespace keybroker::backup {
namespace {

OSSL_PROVIDER* Load(OSSL_LIB_CTX* context, const char* name) {
  return context == nullptr ? nullptr : OSSL_PROVIDER_load(context, name);
}

}  // namespace

LegacyLibrary::LegacyLibrary()
    : context_(OSSL_LIB_CTX_new()),
      default_(Load(context_, "default")),
      legacy_(Load(context_, "legacy")) {
  ERR_clear_error();
}

LegacyLibrary::~LegacyLibrary() {
  if (legacy_ != nullptr) OSSL_PROVIDER_unload(legacy_);
  if (default_ != nullptr) OSSL_PROVIDER_unload(default_);
  OSSL_LIB_CTX_free(context_);
}

CipherPtr LegacyLibrary::Cipher(const char* name) const {
  return CipherPtr(EVP_CIPHER_fetch(context_, name, nullptr));
}

DigestPtr LegacyLibrary::Digest(const char* name) const {
  return DigestPtr(EVP_MD_fetch(context_, name, nullptr));
}

const char* LegacyLibrary::Missing() const {
  return legacy_ == nullptr ? "this host's OpenSSL has no legacy provider (legacy.so), which such "
                              "an old file wants"
                            : "this host's OpenSSL has no such algorithm";
}

}  // namespace keybroker::backup
