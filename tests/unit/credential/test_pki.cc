#include "unit/credential/test_pki.h"

#include <openssl/rsa.h>

#include <cstdlib>

namespace keybroker::credential::test {
namespace {

void Must(bool good) {
  if (!good) abort();
}

void AddExtension(X509* x509, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Must(extension != nullptr && X509_add_ext(x509, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

X509Ptr Decode(const Certificate& certificate) {
  const unsigned char* at = certificate.der.data();
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(certificate.der.size())));
}

}  // namespace

TestKey TestKey::Rsa(unsigned bits) {
  TestKey key;
  key.pkey_.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{bits}));
  Must(key.pkey_ != nullptr);
  return key;
}

TestKey TestKey::Ec(const char* curve) {
  TestKey key;
  key.pkey_.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
  Must(key.pkey_ != nullptr);
  return key;
}

TestKey TestKey::Of(const std::vector<uint8_t>& spki) {
  TestKey key;
  const unsigned char* at = spki.data();
  key.pkey_.reset(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  Must(key.pkey_ != nullptr);
  return key;
}

std::vector<uint8_t> TestKey::Spki() const {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(pkey_.get(), &bytes);
  Must(size > 0);
  std::vector<uint8_t> spki(bytes, bytes + size);
  OPENSSL_free(bytes);
  return spki;
}

PublicKey TestKey::Public() const {
  const bool rsa = EVP_PKEY_is_a(pkey_.get(), "RSA") == 1;
  return {rsa ? cryptoki::KeyType::kRsa : cryptoki::KeyType::kEc,
          static_cast<uint32_t>(EVP_PKEY_get_bits(pkey_.get())), Spki()};
}

Result<std::vector<uint8_t>> TestKey::Sign(CK_MECHANISM_TYPE mechanism, token::Bytes data) const {
  using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
  ContextPtr context(EVP_PKEY_CTX_new(pkey_.get(), nullptr));
  Must(context && EVP_PKEY_sign_init(context.get()) == 1);
  if (mechanism == CKM_RSA_PKCS) {
    Must(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1);
  }
  std::vector<uint8_t> signature(1024);
  size_t size = signature.size();
  Must(EVP_PKEY_sign(context.get(), signature.data(), &size, data.data(), data.size()) == 1);
  signature.resize(size);
  if (mechanism != CKM_ECDSA) return signature;
  const unsigned char* at = signature.data();
  EcdsaSigPtr parts(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  const int half = (EVP_PKEY_get_bits(pkey_.get()) + 7) / 8;
  std::vector<uint8_t> raw(static_cast<size_t>(2 * half));
  Must(parts && BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), raw.data(), half) == half &&
       BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), raw.data() + half, half) == half);
  return raw;
}

Certificate Issue(const CertificateSpec& spec, const TestKey& key, const Certificate* issuer,
                  const TestKey& issuer_key) {
  static long serial = 1;
  X509Ptr x509(X509_new());
  X509Ptr above = issuer == nullptr ? X509Ptr() : Decode(*issuer);
  X509* issuing = above ? above.get() : x509.get();
  Must(X509_set_version(x509.get(), X509_VERSION_3) == 1 &&
       ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), serial++) == 1 &&
       X509_set_pubkey(x509.get(), key.pkey()) == 1 &&
       X509_NAME_add_entry_by_txt(X509_get_subject_name(x509.get()), "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(spec.subject.c_str()), -1,
                                  -1, 0) == 1 &&
       X509_set_issuer_name(x509.get(), X509_get_subject_name(issuing)) == 1 &&
       ASN1_TIME_set(X509_getm_notBefore(x509.get()), spec.not_before) != nullptr &&
       ASN1_TIME_set(X509_getm_notAfter(x509.get()), spec.not_after) != nullptr);
  std::string names;
  for (const auto& dns : spec.dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + dns;
  if (!names.empty()) AddExtension(x509.get(), issuing, NID_subject_alt_name, names);
  AddExtension(x509.get(), issuing, NID_basic_constraints,
               spec.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
  Must(X509_sign(x509.get(), issuer_key.pkey(), EVP_sha256()) > 0);
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(x509.get(), &bytes);
  Must(size > 0);
  auto parsed = ParseCertificate({bytes, static_cast<size_t>(size)});
  OPENSSL_free(bytes);
  Must(parsed.has_value());
  return *parsed;
}

}  // namespace keybroker::credential::test
