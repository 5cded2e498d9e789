#include "cli/listener_check/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/base/hex.h"
#include "unit/credential/test_pki.h"

namespace keybroker::cli {
namespace {

using credential::Certificate;
using credential::test::Issue;
using credential::test::kDay;
using credential::test::kNow;
using credential::test::TestKey;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kName[] = "mail.example.test";

std::string IdOf(const TestKey& key) {
  const auto id = token::SubjectKeyId(key.Spki());
  return id ? Hex(*id) : "";
}

// A server of mail.example.test: root → middle → leaf.
class ServedCertificates : public ::testing::Test {
 protected:
  Expected expected() const {
    return {.target = {kName, cryptoki::KeyType::kEc, IdOf(leaf_key)},
            .installed = {leaf, middle},
            .rewrite = "keybroker listener config https --for nginx --write DIR",
            .name = kName,
            .now = kNow,
            .anchors = {},
            .find_key = [](const std::string&) { return std::nullopt; }};
  }

  TestKey root_key = TestKey::Ec();
  TestKey middle_key = TestKey::Ec();
  TestKey leaf_key = TestKey::Ec();
  TestKey other_key = TestKey::Ec();
  Certificate root = Issue({.subject = "root", .is_ca = true}, root_key, nullptr, root_key);
  Certificate middle = Issue({.subject = "middle", .is_ca = true}, middle_key, &root, root_key);
  Certificate leaf = Issue({.dns_names = {kName}}, leaf_key, &middle, middle_key);
  Certificate other = Issue({.dns_names = {kName}}, other_key, &middle, middle_key);
};

TEST_F(ServedCertificates, AreGoodWhenTheyAreTheInstalledOnes) {
  EXPECT_TRUE(Judge(expected(), {leaf, middle}).good);
  EXPECT_TRUE(Judge(expected(), {leaf, middle, root}).good) << "the root is sent too";
}

TEST_F(ServedCertificates, AreGoodWhenTheyEndAtTheOperatorsRoot) {
  Expected with = expected();
  with.anchors = {root};
  EXPECT_TRUE(Judge(with, {leaf, middle}).good);
  with.installed.clear();
  EXPECT_TRUE(Judge(with, {leaf, middle}).good);
}

TEST_F(ServedCertificates, OfAKeyThatNobodyKnows) {
  const Verdict verdict = Judge(expected(), {other, middle});
  EXPECT_FALSE(verdict.good);
  EXPECT_EQ(verdict.word, "other-key");
  EXPECT_THAT(verdict.text, HasSubstr("a key that keybroker does not know"));
}

TEST_F(ServedCertificates, OfAnotherNamesKeySayWhose) {
  Expected with = expected();
  with.find_key = [](const std::string& id) {
    return KeyTarget{"www.example.test", cryptoki::KeyType::kEc, id};
  };
  const Verdict verdict = Judge(with, {other, middle});
  EXPECT_EQ(verdict.word, "other-key");
  EXPECT_THAT(verdict.text, HasSubstr("the key of www.example.test (ec)"));
}

TEST_F(ServedCertificates, OfAnOlderGenerationSayHowToRenew) {
  Expected with = expected();
  with.find_key = [](const std::string& id) {
    return KeyTarget{kName, cryptoki::KeyType::kEc, id};
  };
  const Verdict verdict = Judge(with, {other, middle});
  EXPECT_EQ(verdict.word, "other-generation");
  EXPECT_THAT(verdict.text, AllOf(HasSubstr(IdOf(other_key)), HasSubstr(IdOf(leaf_key)),
                                  HasSubstr("listener config https --for nginx --write")));
}

TEST_F(ServedCertificates, ThatWereRenewedAreNotTheInstalledOnes) {
  const Certificate renewed =
      Issue({.dns_names = {kName}, .not_after = kNow + 365 * kDay}, leaf_key, &middle, middle_key);
  Expected with = expected();
  with.installed = {renewed, middle};
  const Verdict verdict = Judge(with, {leaf, middle});
  EXPECT_EQ(verdict.word, "other-certificate");
  EXPECT_THAT(verdict.text, AllOf(HasSubstr(leaf.serial), HasSubstr("reload")));
  with.now = leaf.not_after + 1;
  EXPECT_EQ(Judge(with, {leaf, middle}).word, "expired");
}

TEST_F(ServedCertificates, OutOfTheirTime) {
  Expected with = expected();
  with.now = leaf.not_after + 1;
  EXPECT_EQ(Judge(with, {leaf, middle}).word, "expired");
  with.now = leaf.not_before - 1;
  EXPECT_EQ(Judge(with, {leaf, middle}).word, "not-yet-valid");
}

TEST_F(ServedCertificates, ForAnotherName) {
  Expected with = expected();
  with.name = "www.example.test";
  EXPECT_EQ(Judge(with, {leaf, middle}).word, "wrong-name");
}

TEST_F(ServedCertificates, WithoutTheirIntermediate) {
  const Verdict verdict = Judge(expected(), {leaf});
  EXPECT_EQ(verdict.word, "chain-incomplete");
  EXPECT_THAT(verdict.text, AllOf(HasSubstr("1 of the 2"), HasSubstr("CN=middle")));
}

TEST_F(ServedCertificates, ThatNobodyInstalledAreVerifiedByTheSystem) {
  Expected with = expected();
  with.installed.clear();
  const Verdict verdict = Judge(with, {leaf, middle});
  EXPECT_EQ(verdict.word, "chain-incomplete");
  EXPECT_THAT(verdict.text, HasSubstr("--ca"));
}

}  // namespace
}  // namespace keybroker::cli
