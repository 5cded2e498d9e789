#include "keybroker/token/receiving_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;
using testing::ElementsAre;
using testing::HasSubstr;

class ReceivingKeyOn : public testing::TestWithParam<const char*> {
 protected:
  ReceivingKeyOn()
      : soft_(test::MakeSoftToken(GetParam())),
        token_(soft_->LogIn()),
        session_(*token_.OpenSession(true)) {}

  bool IsNss() const { return std::string(GetParam()) == "nss"; }

  size_t OnToken() const {
    return session_.Find(Attributes().Add(CKA_LABEL, std::string_view(kReceivingLabel)))->size();
  }

  // SendTo wraps a new key of this token's for the receiving key and takes it off the token again.
  Result<RecipientWrap> SendTo(const ReceivingKey& to, OaepHash hash, UnwrapSpec* spec) {
    KB_ASSIGN(const KeyPair key,
              GenerateKey(session_, Profile{}, {KeyType::kEc, 256, "mail.example.test", true}));
    *spec = {key.label, key.type, key.spki};
    KB_ASSIGN(auto way, ProbeRecipientWay(session_, WrapAlgorithm::kAesKeyWrapPad));
    way.hash = hash;
    auto sent = WrapToRecipients(session_, key, {{to.spki()}}, way);
    KB_TRY(DeleteKey(session_, key));
    return sent;
  }

  std::unique_ptr<test::SoftToken> soft_;
  Token token_;
  Session session_;
};

TEST_P(ReceivingKeyOn, ReceivesByEachHashThatItWasSeenToDo) {
  const auto receiving = ReceivingKey::Make(session_);
  ASSERT_TRUE(receiving) << receiving.error().detail;
  const auto hashes = receiving->Hashes();
  if (IsNss()) {
    EXPECT_THAT(hashes, ElementsAre(OaepHash::kSha256, OaepHash::kSha1));
  } else {
    EXPECT_THAT(hashes, ElementsAre(OaepHash::kSha1));
  }
  for (const OaepHash hash : hashes) {
    UnwrapSpec spec;
    const auto sent = SendTo(*receiving, hash, &spec);
    ASSERT_TRUE(sent) << sent.error().detail;
    const auto key = receiving->Receive(*sent, spec);
    ASSERT_TRUE(key) << key.error().detail;
    EXPECT_EQ(key->spki, spec.spki);
    EXPECT_FALSE(key->extractable);
    ASSERT_TRUE(DeleteKey(session_, *key));
  }
}

TEST_P(ReceivingKeyOn, RefusesWhatWasSentToAnother) {
  const auto one = ReceivingKey::Make(session_);
  const auto other = ReceivingKey::Make(session_);
  ASSERT_TRUE(one && other);
  UnwrapSpec spec;
  const auto sent = SendTo(*one, OaepHash::kSha1, &spec);
  ASSERT_TRUE(sent) << sent.error().detail;
  EXPECT_FALSE(other->Receive(*sent, spec));
  EXPECT_TRUE(ListKeys(session_)->keys.empty());
}

TEST_P(ReceivingKeyOn, IsGoneWithItsObject) {
  {
    const auto receiving = ReceivingKey::Make(session_);
    ASSERT_TRUE(receiving);
    EXPECT_EQ(OnToken(), 2U);
  }
  EXPECT_EQ(OnToken(), 0U);
}

TEST_P(ReceivingKeyOn, ThatWasPreparedIsFoundByItsFingerprintOnce) {
  const auto spki = ReceivingKey::Prepare(session_);
  ASSERT_TRUE(spki) << spki.error().detail;
  EXPECT_EQ(OnToken(), 2U);
  auto fingerprint = *SpkiSha256(*spki);
  {
    const auto found = ReceivingKey::Find(session_, fingerprint);
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(found->spki(), *spki);
    EXPECT_FALSE(found->Hashes().empty());
  }
  EXPECT_EQ(OnToken(), 0U);
  const auto gone = ReceivingKey::Find(session_, fingerprint);
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().detail, HasSubstr("none was prepared"));
}

INSTANTIATE_TEST_SUITE_P(Tokens, ReceivingKeyOn, testing::Values("softhsm", "nss"),
                         [](const auto& token) { return std::string(token.param); });

}  // namespace
}  // namespace keybroker::token
