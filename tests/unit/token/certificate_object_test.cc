#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/token/key_pair.h"
#include "keybroker/token/openssl.h"
#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;

// Issue is a DER certificate for the public key, by a key that nobody keeps.
std::vector<uint8_t> Issue(const KeyPair& key, long serial) {
  const uint8_t* at = key.spki.data();
  const EvpKey subject(d2i_PUBKEY(nullptr, &at, static_cast<long>(key.spki.size())));
  const EvpKey issuer(EVP_EC_gen("P-256"));
  const X509Ptr x509(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 86400);
  for (X509_NAME* name : {X509_get_subject_name(x509.get()), X509_get_issuer_name(x509.get())}) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("a.example.test"), -1, -1, 0);
  }
  X509_set_pubkey(x509.get(), subject.get());
  X509_sign(x509.get(), issuer.get(), EVP_sha256());
  uint8_t* der = nullptr;
  const int size = i2d_X509(x509.get(), &der);
  std::vector<uint8_t> out(der, der + size);
  OPENSSL_free(der);
  return out;
}

class CertificateObjectOn : public testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<test::SoftToken> Make(std::string_view kind) {
    if (kind == "nss") return std::make_unique<test::NssToken>();
    return std::make_unique<test::SoftHsmToken>();
  }
  CertificateObjectOn()
      : soft_(Make(GetParam())),
        token_(soft_->LogIn()),
        session_(std::move(*token_.OpenSession(true))) {
    auto key = GenerateKey(session_, Profile{}, {KeyType::kEc, 256, "a.example.test", false});
    EXPECT_TRUE(key) << key.error().detail;
  }

  KeyPair Key() {
    const auto list = ListKeys(session_);
    EXPECT_TRUE(list && list->keys.size() == 1);
    return list->keys.at(0);
  }
  size_t Certificates() {
    return session_.Find(Attributes().AddUlong(CKA_CLASS, CKO_CERTIFICATE))->size();
  }

  std::unique_ptr<test::SoftToken> soft_;
  Token token_;
  Session session_;
};

TEST_P(CertificateObjectOn, IsListedWithItsKeyOnceWritten) {
  EXPECT_TRUE(Key().certificate.empty());
  const auto der = Issue(Key(), 1);
  const Status written = WriteCertificate(session_, Key(), der);
  ASSERT_TRUE(written) << written.error().detail;
  EXPECT_EQ(Key().certificate, der);
  EXPECT_EQ(Certificates(), 1u);
}

TEST_P(CertificateObjectOn, ReplacesTheEarlierOne) {
  ASSERT_TRUE(WriteCertificate(session_, Key(), Issue(Key(), 1)));
  const auto renewed = Issue(Key(), 2);
  ASSERT_TRUE(WriteCertificate(session_, Key(), renewed));
  EXPECT_EQ(Key().certificate, renewed);
  EXPECT_EQ(Certificates(), 1u);
}

TEST_P(CertificateObjectOn, IsNotWrittenTwice) {
  const auto der = Issue(Key(), 1);
  ASSERT_TRUE(WriteCertificate(session_, Key(), der));
  const CK_OBJECT_HANDLE object = Key().certificate_object;
  ASSERT_TRUE(WriteCertificate(session_, Key(), der));
  EXPECT_EQ(Key().certificate_object, object);
}

TEST_P(CertificateObjectOn, KeepsTheEarlierOneWhenTheNewOneIsNone) {
  const auto der = Issue(Key(), 1);
  ASSERT_TRUE(WriteCertificate(session_, Key(), der));
  auto longer = der;
  longer.push_back(0);
  for (const std::vector<uint8_t>& bad :
       {std::vector<uint8_t>{}, std::vector<uint8_t>{0x30, 0x03, 1, 1, 0}, longer}) {
    const Status status = WriteCertificate(session_, Key(), bad);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
  }
  EXPECT_EQ(Key().certificate, der);
  EXPECT_EQ(Certificates(), 1u);
}

TEST_P(CertificateObjectOn, GoesWithItsKey) {
  ASSERT_TRUE(WriteCertificate(session_, Key(), Issue(Key(), 1)));
  ASSERT_TRUE(DeleteKey(session_, Key()));
  EXPECT_EQ(Certificates(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Tokens, CertificateObjectOn, testing::Values("softhsm", "nss"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace keybroker::token
