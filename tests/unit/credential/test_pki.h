#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "credential/openssl.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/credential/request.h"

namespace keybroker::credential::test {

// 2026-06-15 12:00 UTC: the tests' now.
inline constexpr int64_t kNow = 1781524800;
inline constexpr int64_t kDay = 86400;

// TestKey is a key pair in memory that can stand in for one on a token.
class TestKey {
 public:
  static TestKey Rsa(unsigned bits = 2048);
  static TestKey Ec(const char* curve = "P-256");
  // Of is the public half alone, of a key on a token: something to issue a certificate for.
  static TestKey Of(const std::vector<uint8_t>& spki);

  EVP_PKEY* pkey() const { return pkey_.get(); }
  std::vector<uint8_t> Spki() const;
  PublicKey Public() const;

  // Sign does what a token does for CKM_RSA_PKCS (a DigestInfo) and CKM_ECDSA (a digest).
  Result<std::vector<uint8_t>> Sign(CK_MECHANISM_TYPE mechanism, token::Bytes data) const;
  Signer AsSigner() const {
    return [this](CK_MECHANISM_TYPE m, token::Bytes data) { return Sign(m, data); };
  }

 private:
  PkeyPtr pkey_;
};

// CertificateSpec says what Issue makes.
struct CertificateSpec {
  std::string subject = "leaf";  // common name
  std::vector<std::string> dns_names = {};
  int64_t not_before = kNow - kDay;
  int64_t not_after = kNow + 90 * kDay;
  bool is_ca = false;
};

// Issue signs a certificate for key with issuer's key; issuer null: self-signed.
Certificate Issue(const CertificateSpec& spec, const TestKey& key, const Certificate* issuer,
                  const TestKey& issuer_key);

}  // namespace keybroker::credential::test
