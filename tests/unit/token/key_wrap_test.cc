#include "keybroker/token/key_wrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;
using testing::HasSubstr;

Secret Kek32(char fill) { return test::TestSecret(std::string(kKekSize, fill)); }

class KeyWrapOn : public testing::TestWithParam<const char*> {
 protected:
  KeyWrapOn()
      : soft_(test::MakeSoftToken(GetParam())),
        token_(soft_->LogIn()),
        session_(*token_.OpenSession(true)) {}

  KeyPair Generate(KeyType type, uint32_t bits, bool exportable = true) {
    auto key = GenerateKey(session_, Profile{}, {type, bits, "mail.example.test", exportable});
    EXPECT_TRUE(key) << key.error().detail;
    return key ? *key : KeyPair{};
  }

  std::vector<WrapAlgorithm> Algorithms() const {
    std::vector<WrapAlgorithm> algorithms;
    for (const auto& how : ProbeWrap(session_)) algorithms.push_back(how.algorithm);
    return algorithms;
  }

  size_t Objects(CK_OBJECT_CLASS object_class) const {
    return session_.Find(Attributes().AddUlong(CKA_CLASS, object_class))->size();
  }

  bool IsNss() const { return std::string(GetParam()) == "nss"; }

  std::unique_ptr<test::SoftToken> soft_;
  Token token_;
  Session session_;
};

TEST_P(KeyWrapOn, IsFoundByAKnownAnswerAndNotByANumber) {
  std::vector<std::string> evidence;
  const auto found = ProbeWrap(session_, &evidence);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].algorithm, WrapAlgorithm::kAesKeyWrapPad);
  EXPECT_EQ(found[0].type, IsNss() ? CKM_AES_KEY_WRAP_KWP : CKM_AES_KEY_WRAP_PAD);
  EXPECT_EQ(found.size(), IsNss() ? 2U : 1U);
  EXPECT_EQ(evidence.size(), 3U);
  EXPECT_THAT(evidence[1], HasSubstr(IsNss() ? "another algorithm" : "there and back"));
  EXPECT_EQ(Objects(CKO_SECRET_KEY), 0U);
}

TEST_P(KeyWrapOn, UnwrapsByWhatItWrapsBy) {
  std::vector<WrapAlgorithm> algorithms;
  for (const auto& how : ProbeUnwrap(session_)) algorithms.push_back(how.algorithm);
  EXPECT_EQ(algorithms, Algorithms());
  EXPECT_EQ(Objects(CKO_SECRET_KEY), 0U);
}

TEST_P(KeyWrapOn, MakesAKeyForASessionThatIsBackedUpAndForgotten) {
  {
    const Session session = *token_.OpenSession(false);
    const auto key = GenerateSessionKey(session, Profile{}, {KeyType::kEc, 256, "a.test", true});
    ASSERT_TRUE(key) << key.error().detail;
    EXPECT_EQ(key->id, *SubjectKeyId(key->spki));
    EXPECT_TRUE(WrapPrivateKey(session, *key, Kek32('k'), std::nullopt));
  }
  for (const auto each : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY}) EXPECT_EQ(Objects(each), 0U);
}

TEST_P(KeyWrapOn, RestoresEveryKindOfKeyThatWasDeleted) {
  for (const auto& [type, bits] : {std::pair{KeyType::kRsa, 2048U},
                                   {KeyType::kEc, 256U},
                                   {KeyType::kEc, 384U},
                                   {KeyType::kEc, 521U}}) {
    for (const WrapAlgorithm algorithm : Algorithms()) {
      const KeyPair key = Generate(type, bits);
      const Secret kek = Kek32('k');
      const auto wrapped = WrapPrivateKey(session_, key, kek, algorithm);
      ASSERT_TRUE(wrapped) << wrapped.error().detail;
      ASSERT_TRUE(DeleteKey(session_, key));
      const UnwrapSpec spec{key.label, type, key.spki};
      const auto back = RestoreKey(session_, *wrapped, kek, spec);
      ASSERT_TRUE(back) << back.error().detail;
      EXPECT_EQ(back->id, key.id);
      EXPECT_EQ(back->label, key.label);
      EXPECT_EQ(back->spki, key.spki);
      EXPECT_FALSE(back->extractable);
      EXPECT_TRUE(back->sensitive);
      // It signs, and does nothing else.
      for (const CK_ATTRIBUTE_TYPE right :
           {CKA_DECRYPT, CKA_UNWRAP, CKA_DERIVE, CKA_SIGN_RECOVER}) {
        const auto may = session_.ReadBool(back->private_key, right);
        ASSERT_TRUE(may) << right;
        EXPECT_FALSE(may->value_or(false)) << right;
      }
      EXPECT_EQ(Objects(CKO_SECRET_KEY), 0U);
      ASSERT_TRUE(DeleteKey(session_, *back));
    }
  }
}

TEST_P(KeyWrapOn, LeavesTheTokenAsItWasWhenTheKeyIsAnother) {
  const KeyPair key = Generate(KeyType::kEc, 256);
  const KeyPair other = Generate(KeyType::kEc, 256);
  const Secret kek = Kek32('k');
  const auto wrapped = WrapPrivateKey(session_, key, kek, std::nullopt);
  ASSERT_TRUE(wrapped);
  ASSERT_TRUE(DeleteKey(session_, key));
  ASSERT_TRUE(DeleteKey(session_, other));
  const auto back = RestoreKey(session_, *wrapped, kek, {"a.test", KeyType::kEc, other.spki});
  ASSERT_FALSE(back);
  EXPECT_THAT(back.error().detail, HasSubstr("does not verify"));
  for (const auto each : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY}) {
    EXPECT_EQ(Objects(each), 0U);
  }
}

TEST_P(KeyWrapOn, RefusesEveryFlippedBitOfAWrappedKey) {
  const KeyPair key = Generate(KeyType::kEc, 256);
  const Secret kek = Kek32('k');
  const auto wrapped = WrapPrivateKey(session_, key, kek, WrapAlgorithm::kAesKeyWrapPad);
  ASSERT_TRUE(wrapped);
  const UnwrapSpec spec{key.label, key.type, key.spki};
  for (size_t i = 0; i < wrapped->bytes.size(); ++i) {
    WrappedKey damaged = *wrapped;
    damaged.bytes[i] ^= static_cast<uint8_t>(1U << (i % 8));
    EXPECT_FALSE(TryUnwrap(session_, damaged, kek, spec)) << i;
  }
  EXPECT_FALSE(TryUnwrap(session_, *wrapped, Kek32('x'), spec));
  EXPECT_TRUE(TryUnwrap(session_, *wrapped, kek, spec));
  EXPECT_EQ(Objects(CKO_PRIVATE_KEY), 1U);
}

TEST_P(KeyWrapOn, TakesUpWhatARestoreThatWasCutOffLeft) {
  const KeyPair key = Generate(KeyType::kRsa, 2048);
  const Secret kek = Kek32('k');
  const auto wrapped = WrapPrivateKey(session_, key, kek, std::nullopt);
  ASSERT_TRUE(wrapped);
  ASSERT_TRUE(session_.Destroy(key.private_key));
  const auto back = RestoreKey(session_, *wrapped, kek, {key.label, key.type, key.spki});
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(Objects(CKO_PUBLIC_KEY), 1U);
}

INSTANTIATE_TEST_SUITE_P(Tokens, KeyWrapOn, testing::Values("softhsm", "nss"),
                         [](const auto& token) { return std::string(token.param); });

class KeyWrapOnSoftHsm : public KeyWrapOn {};

TEST_P(KeyWrapOnSoftHsm, RefusesAKeyThatWasBornNotExportable) {
  const KeyPair key = Generate(KeyType::kEc, 256, false);
  const auto wrapped = WrapPrivateKey(session_, key, Kek32('k'), std::nullopt);
  ASSERT_FALSE(wrapped);
  EXPECT_EQ(wrapped.error().code, ErrorCode::kDenied);
  EXPECT_THAT(wrapped.error().detail, HasSubstr("--exportable"));
}

TEST_P(KeyWrapOnSoftHsm, NamesWhatItTriedWhereItCannot) {
  const KeyPair key = Generate(KeyType::kEc, 256);
  const auto wrapped = WrapPrivateKey(session_, key, Kek32('k'), WrapAlgorithm::kAesCbcPad);
  ASSERT_FALSE(wrapped);
  EXPECT_THAT(wrapped.error().detail,
              HasSubstr("CKM_AES_CBC_PAD: C_WrapKey: CKR_MECHANISM_INVALID"));
}

TEST_P(KeyWrapOnSoftHsm, IsSealedForGood) {
  const KeyPair key = Generate(KeyType::kRsa, 2048);
  const auto seal = SealKey(session_, key);
  ASSERT_TRUE(seal) << seal.error().detail;
  EXPECT_TRUE(seal->enforced);
  EXPECT_THAT(seal->evidence, HasSubstr("CKM_AES_KEY_WRAP_PAD: CKR_KEY_UNEXTRACTABLE"));
  EXPECT_FALSE(WrapPrivateKey(session_, key, Kek32('k'), std::nullopt));
  EXPECT_FALSE(session_.Set(key.private_key, Attributes().AddBool(CKA_EXTRACTABLE, true)));
}

INSTANTIATE_TEST_SUITE_P(Tokens, KeyWrapOnSoftHsm, testing::Values("softhsm"));

class KeyWrapOnNss : public KeyWrapOn {};

TEST_P(KeyWrapOnNss, IsSeenNotToBeSealed) {
  const KeyPair key = Generate(KeyType::kEc, 256);
  const auto seal = SealKey(session_, key);
  ASSERT_TRUE(seal) << seal.error().detail;
  EXPECT_FALSE(seal->enforced);
  EXPECT_THAT(seal->evidence, HasSubstr("CKR_OK"));
}

INSTANTIATE_TEST_SUITE_P(Tokens, KeyWrapOnNss, testing::Values("nss"));

}  // namespace
}  // namespace keybroker::token
