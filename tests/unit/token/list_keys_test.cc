#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/base/hex.h"
#include "keybroker/token/key_pair.h"
#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;
using testing::ElementsAre;
using testing::IsEmpty;

// CKM_EC_EDWARDS_KEY_PAIR_GEN (PKCS#11 v3.0; SoftHSM 2.6.1 knows it) and the OID of RFC 8410.
constexpr CK_MECHANISM_TYPE kEdwardsKeyPairGen = 0x1055;
constexpr uint8_t kEd25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};

// A token that other programs have used before.
class ForeignToken : public testing::Test {
 protected:
  ForeignToken() : token_(soft_.LogIn()), session_(std::move(*token_.OpenSession(true))) {}

  KeyPair Generate(KeyType type, const std::string& label) {
    const uint32_t bits = type == KeyType::kRsa ? 2048 : 256;
    auto key = GenerateKey(session_, Profile{}, {type, bits, label, false});
    EXPECT_TRUE(key) << key.error().detail;
    return key ? *key : KeyPair{};
  }
  KeyList List() {
    auto list = ListKeys(session_);
    EXPECT_TRUE(list) << list.error().detail;
    return list ? *list : KeyList{};
  }
  std::vector<std::string> Labels() {
    std::vector<std::string> labels;
    for (const KeyPair& key : List().keys) labels.push_back(key.label);
    return labels;
  }

  test::SoftHsmToken soft_;
  Token token_;
  Session session_;
};

TEST_F(ForeignToken, HasNoKeysWhenItIsEmpty) {
  EXPECT_THAT(List().keys, IsEmpty());
  EXPECT_THAT(List().skipped, IsEmpty());
}

TEST_F(ForeignToken, SortsByLabelThenType) {
  Generate(KeyType::kEc, "b.example.test");
  Generate(KeyType::kRsa, "b.example.test");
  Generate(KeyType::kEc, "a.example.test");
  std::vector<std::pair<std::string, KeyType>> seen;
  for (const KeyPair& key : List().keys) seen.emplace_back(key.label, key.type);
  EXPECT_THAT(seen, ElementsAre(std::pair{"a.example.test", KeyType::kEc},
                                std::pair{"b.example.test", KeyType::kRsa},
                                std::pair{"b.example.test", KeyType::kEc}));
}

TEST_F(ForeignToken, SkipsAnEd25519KeyWithTheReason) {
  Generate(KeyType::kEc, "a.example.test");
  const uint8_t id[] = {0xed};
  const auto pair = session_.GenerateKeyPair(kEdwardsKeyPairGen,
                                             Attributes()
                                                 .AddBool(CKA_TOKEN, true)
                                                 .Add(CKA_EC_PARAMS, Bytes(kEd25519))
                                                 .Add(CKA_ID, Bytes(id)),
                                             Attributes()
                                                 .AddBool(CKA_TOKEN, true)
                                                 .Add(CKA_LABEL, "ed.example.test")
                                                 .Add(CKA_ID, Bytes(id)));
  ASSERT_TRUE(pair) << pair.error().detail;
  EXPECT_THAT(Labels(), ElementsAre("a.example.test"));
  EXPECT_THAT(List().skipped,
              ElementsAre("the private key \"ed.example.test\" (id ed) is neither RSA nor EC (an "
                          "Ed25519 key that libp11 0.4.12 can see makes every other key unusable "
                          "for it, so it is never shown)"));
}

TEST_F(ForeignToken, ServesAnRsaKeyWithoutItsPublicKeyObject) {
  const KeyPair key = Generate(KeyType::kRsa, "a.example.test");
  ASSERT_TRUE(session_.Destroy(key.public_key));
  const KeyList list = List();
  ASSERT_EQ(list.keys.size(), 1u);
  EXPECT_EQ(list.keys[0].spki, key.spki);
  EXPECT_EQ(list.keys[0].public_key, CK_INVALID_HANDLE);
  EXPECT_THAT(list.skipped, IsEmpty());
}

TEST_F(ForeignToken, SkipsAnEcKeyWithoutItsPublicKeyObject) {
  const KeyPair key = Generate(KeyType::kEc, "a.example.test");
  ASSERT_TRUE(session_.Destroy(key.public_key));
  EXPECT_THAT(List().keys, IsEmpty());
  EXPECT_THAT(List().skipped,
              ElementsAre("the private key \"a.example.test\" (id " + Hex(key.id) +
                          "): there is no public key object with its CKA_ID on the token"));
}

TEST_F(ForeignToken, SkipsBothKeysThatShareAnId) {
  const KeyPair first = Generate(KeyType::kEc, "a.example.test");
  const KeyPair second = Generate(KeyType::kEc, "b.example.test");
  Generate(KeyType::kEc, "c.example.test");
  ASSERT_TRUE(session_.Set(second.private_key, Attributes().Add(CKA_ID, first.id)));
  EXPECT_THAT(Labels(), ElementsAre("c.example.test"));
  const std::string id = Hex(first.id);
  EXPECT_THAT(List().skipped,
              testing::UnorderedElementsAre("the private key \"a.example.test\" (id " + id +
                                                ") shares its CKA_ID with another private key",
                                            "the private key \"b.example.test\" (id " + id +
                                                ") shares its CKA_ID with another private key"));
}

TEST_F(ForeignToken, SkipsAKeyWithoutAnId) {
  const KeyPair key = Generate(KeyType::kEc, "a.example.test");
  ASSERT_TRUE(session_.Set(key.private_key, Attributes().Add(CKA_ID, Bytes())));
  EXPECT_THAT(List().keys, IsEmpty());
  EXPECT_THAT(List().skipped,
              ElementsAre("the private key \"a.example.test\" (id ) has no CKA_ID"));
}

TEST_F(ForeignToken, SkipsAnRsaKeyWhoseIdIsOnAnotherKeysPublicKeyObject) {
  const KeyPair key = Generate(KeyType::kRsa, "a.example.test");
  const KeyPair other = Generate(KeyType::kRsa, "b.example.test");
  ASSERT_TRUE(session_.Destroy(key.public_key));
  ASSERT_TRUE(session_.Set(other.public_key, Attributes().Add(CKA_ID, key.id)));
  EXPECT_THAT(Labels(), ElementsAre("b.example.test"));
  EXPECT_THAT(List().skipped,
              ElementsAre("the private key \"a.example.test\" (id " + Hex(key.id) +
                          "): the public key object with its CKA_ID belongs to another key"));
}

TEST_F(ForeignToken, SkipsAKeyThatMayNotSign) {
  const KeyPair key = Generate(KeyType::kEc, "a.example.test");
  ASSERT_TRUE(session_.Set(key.private_key, Attributes().AddBool(CKA_SIGN, false)));
  EXPECT_THAT(List().keys, IsEmpty());
  EXPECT_THAT(List().skipped, ElementsAre("the private key \"a.example.test\" (id " + Hex(key.id) +
                                          "): its CKA_SIGN is false"));
}

TEST_F(ForeignToken, LooksPastObjectsOfOtherClasses) {
  Generate(KeyType::kEc, "a.example.test");
  ASSERT_TRUE(session_.Create(Attributes()
                                  .AddUlong(CKA_CLASS, CKO_DATA)
                                  .AddBool(CKA_TOKEN, true)
                                  .Add(CKA_LABEL, "note")
                                  .Add(CKA_VALUE, "text")));
  const std::vector<uint8_t> value(32, 7);
  ASSERT_TRUE(session_.Create(Attributes()
                                  .AddUlong(CKA_CLASS, CKO_SECRET_KEY)
                                  .AddUlong(CKA_KEY_TYPE, CKK_AES)
                                  .AddBool(CKA_TOKEN, true)
                                  .Add(CKA_VALUE, Bytes(value))));
  EXPECT_THAT(Labels(), ElementsAre("a.example.test"));
  EXPECT_THAT(List().skipped, IsEmpty());
}

TEST_F(ForeignToken, HidesPrivateKeysUntilTheLogin) {
  Generate(KeyType::kEc, "a.example.test");
  ASSERT_EQ(token_.module()->api().C_Logout(session_.handle()), CKR_OK);
  EXPECT_THAT(List().keys, IsEmpty());
}

}  // namespace
}  // namespace keybroker::token
