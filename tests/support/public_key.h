#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "keybroker/base/result.h"
#include "support/pkcs11_client.h"

namespace keybroker::test {

// PublicKey verifies what a token signed, with OpenSSL and without the token.
class PublicKey {
 public:
  // FromCertificate reads a PEM file; FromPem one with a BEGIN PUBLIC KEY.
  static Result<PublicKey> FromCertificate(const std::filesystem::path& pem);
  static Result<PublicKey> FromPem(const std::filesystem::path& pem);

  // Verifies tells whether signature, as PKCS#11 gives it, is the key's over digest: PKCS#1 v1.5
  // with SHA-256 for RSA, raw r || s for EC.
  bool Verifies(const Digest& digest, const std::vector<uint8_t>& signature) const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace keybroker::test
