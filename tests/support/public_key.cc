#include "support/public_key.h"

#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstdio>

namespace keybroker::test {
namespace {

// Raw r || s to the DER that OpenSSL verifies.
std::vector<uint8_t> EcdsaDer(const std::vector<uint8_t>& raw) {
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  int half = static_cast<int>(raw.size() / 2);
  BIGNUM* r = BN_bin2bn(raw.data(), half, nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + half, half, nullptr);
  if (ECDSA_SIG_set0(signature.get(), r, s) != 1) return {};
  unsigned char* der = nullptr;
  int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::vector<uint8_t> out(der, der + (size > 0 ? size : 0));
  OPENSSL_free(der);
  return out;
}

}  // namespace

Result<PublicKey> PublicKey::FromCertificate(const std::filesystem::path& pem) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(pem.c_str(), "re"), std::fclose);
  if (!file) return Fail(NotFound("cannot open " + pem.string()));
  std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  if (!certificate) return Fail(Malformed("no certificate in " + pem.string()));
  PublicKey key;
  key.key_.reset(X509_get_pubkey(certificate.get()), EVP_PKEY_free);
  return key;
}

Result<PublicKey> PublicKey::FromPem(const std::filesystem::path& pem) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(pem.c_str(), "re"), std::fclose);
  if (!file) return Fail(NotFound("cannot open " + pem.string()));
  PublicKey key;
  key.key_.reset(PEM_read_PUBKEY(file.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!key.key_) return Fail(Malformed("no public key in " + pem.string()));
  return key;
}

bool PublicKey::Verifies(const Digest& digest, const std::vector<uint8_t>& signature) const {
  bool rsa = EVP_PKEY_is_a(key_.get(), "RSA") == 1;
  std::vector<uint8_t> form = rsa ? signature : EcdsaDer(signature);
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> verify(
      EVP_PKEY_CTX_new(key_.get(), nullptr), EVP_PKEY_CTX_free);
  if (EVP_PKEY_verify_init(verify.get()) != 1) return false;
  if (rsa && EVP_PKEY_CTX_set_rsa_padding(verify.get(), RSA_PKCS1_PADDING) != 1) return false;
  if (EVP_PKEY_CTX_set_signature_md(verify.get(), EVP_sha256()) != 1) return false;
  return EVP_PKEY_verify(verify.get(), form.data(), form.size(), digest.data(), digest.size()) == 1;
}

}  // namespace keybroker::test
