#include "keybroker/token/key_pair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;
using testing::HasSubstr;

Profile ProfileOf(const std::string& kind) {
  Profile profile;
  profile.allowed_mechanisms = kind == "softhsm";
  return profile;
}

class KeyPairOn : public testing::TestWithParam<const char*> {
 protected:
  KeyPairOn() : soft_(test::MakeSoftToken(GetParam())), token_(soft_->LogIn()) {}

  KeyPair Generate(const KeySpec& spec) {
    const auto session = token_.OpenSession(true);
    auto key = GenerateKey(*session, ProfileOf(GetParam()), spec);
    EXPECT_TRUE(key) << key.error().detail;
    return key ? *key : KeyPair{};
  }

  std::unique_ptr<test::SoftToken> soft_;
  Token token_;
};

TEST_P(KeyPairOn, IsGeneratedWithTheSubjectKeyIdentifierAsItsId) {
  for (const KeySpec& spec : {KeySpec{KeyType::kRsa, 2048, "mail.example.test", false},
                              KeySpec{KeyType::kEc, 256, "mail.example.test", false},
                              KeySpec{KeyType::kEc, 384, "news.example.test", true},
                              KeySpec{KeyType::kEc, 521, "web.example.test", false}}) {
    const KeyPair key = Generate(spec);
    EXPECT_EQ(key.label, spec.label);
    EXPECT_EQ(key.bits, spec.bits);
    EXPECT_EQ(key.type, spec.type);
    EXPECT_EQ(key.id, *SubjectKeyId(key.spki));
    EXPECT_EQ(key.extractable, spec.exportable);
    EXPECT_TRUE(key.sensitive);
    EXPECT_FALSE(key.mechanisms.empty());
  }
  const auto session = token_.OpenSession(false);
  const auto list = ListKeys(*session);
  ASSERT_TRUE(list) << list.error().detail;
  EXPECT_EQ(list->keys.size(), 4u);
  EXPECT_THAT(list->skipped, testing::IsEmpty());
}

TEST_P(KeyPairOn, OffersExactlyTheMechanismsOfItsType) {
  const KeyPair ec = Generate({KeyType::kEc, 256, "a.example.test", false});
  EXPECT_THAT(ec.mechanisms, testing::ElementsAre(CKM_ECDSA, CKM_ECDSA_SHA256, CKM_ECDSA_SHA384,
                                                  CKM_ECDSA_SHA512));
  const KeyPair rsa = Generate({KeyType::kRsa, 2048, "a.example.test", false});
  EXPECT_THAT(rsa.mechanisms,
              testing::ElementsAre(CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS,
                                   CKM_SHA512_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS,
                                   CKM_SHA384_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS));
}

TEST_P(KeyPairOn, SignsAMessageWithEveryHashAndSignMechanism) {
  const KeyPair ec = Generate({KeyType::kEc, 256, "a.example.test", false});
  const KeyPair rsa = Generate({KeyType::kRsa, 2048, "a.example.test", false});
  const auto session = token_.OpenSession(false);
  const std::vector<uint8_t> message(1000, 'm');
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    if (!mechanism.hashes) continue;
    const KeyPair& key = mechanism.key_type == KeyType::kEc ? ec : rsa;
    std::optional<PssParameters> pss;
    if (mechanism.scheme == cryptoki::Scheme::kRsaPss) {
      pss = {mechanism.digest, static_cast<uint32_t>(cryptoki::DigestSize(mechanism.digest))};
    }
    const auto signature = session->Sign(key.private_key, mechanism.type, pss, message);
    ASSERT_TRUE(signature) << mechanism.name << ": " << signature.error().detail;
    EXPECT_EQ(signature->size(), cryptoki::SignatureSize(key.type, key.bits)) << mechanism.name;
  }
}

TEST_P(KeyPairOn, RefusesRawRsa) {
  const KeyPair rsa = Generate({KeyType::kRsa, 2048, "a.example.test", false});
  const auto session = token_.OpenSession(false);
  const std::vector<uint8_t> block(256, 1);
  const auto signature = session->Sign(rsa.private_key, CKM_RSA_X_509, std::nullopt, block);
  ASSERT_FALSE(signature);
  EXPECT_EQ(signature.error().rv, CKR_MECHANISM_INVALID);
}

TEST_P(KeyPairOn, IsGoneWithAllItsObjectsAfterDelete) {
  const KeyPair key = Generate({KeyType::kEc, 256, "a.example.test", false});
  const auto session = token_.OpenSession(true);
  ASSERT_TRUE(DeleteKey(*session, key));
  for (const CK_OBJECT_CLASS object_class : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE}) {
    const auto left =
        session->Find(Attributes().AddUlong(CKA_CLASS, object_class).Add(CKA_ID, key.id));
    ASSERT_TRUE(left);
    EXPECT_TRUE(left->empty());
  }
}

TEST_P(KeyPairOn, IsNotGeneratedWhereTheProfileSaysThatItCannotBe) {
  Profile profile;
  profile.name = "acme";
  profile.rsa_bits = {2048};
  profile.ec_curves = {"P-256"};
  const auto session = token_.OpenSession(true);
  auto key = GenerateKey(*session, profile, {KeyType::kEc, 384, "a.example.test", false});
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().detail, "P-384 keys cannot be made on this token (profile \"acme\")");
  key = GenerateKey(*session, profile, {KeyType::kRsa, 4096, "a.example.test", false});
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().detail, "RSA-4096 keys cannot be made on this token (profile \"acme\")");
  profile.id_at_generation = false;
  key = GenerateKey(*session, profile, {KeyType::kEc, 256, "a.example.test", false});
  ASSERT_FALSE(key);
  EXPECT_THAT(key.error().detail, HasSubstr("CKA_ID after generation"));
  EXPECT_THAT(ListKeys(*session)->keys, testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Tokens, KeyPairOn, testing::Values("softhsm", "nss"),
                         [](const auto& token) { return std::string(token.param); });

TEST(KeySpec, ListsTheLegalSizes) {
  EXPECT_TRUE(CheckKeySpec({KeyType::kRsa, 3072, "a", false}));
  for (const KeySpec& spec :
       {KeySpec{KeyType::kRsa, 1024, "a", false}, KeySpec{KeyType::kEc, 255, "a", false}}) {
    const auto status = CheckKeySpec(spec);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
  }
}

}  // namespace
}  // namespace keybroker::token
