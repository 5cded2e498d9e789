#include "keybroker/credential/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/credential/test_pki.h"

namespace keybroker::credential {
namespace {

using test::Issue;
using test::kDay;
using test::kNow;
using test::TestKey;
using ::testing::HasSubstr;

// Chain is root → intermediate → leaf for mail.example.test.
class Chain : public ::testing::Test {
 protected:
  TestKey root_key = TestKey::Ec();
  TestKey middle_key = TestKey::Ec();
  TestKey leaf_key = TestKey::Ec();
  Certificate root = Issue({.subject = "root", .is_ca = true}, root_key, nullptr, root_key);
  Certificate middle = Issue({.subject = "middle", .is_ca = true}, middle_key, &root, root_key);
  Certificate leaf = Issue({.dns_names = {"mail.example.test", "imap.example.test"}}, leaf_key,
                           &middle, middle_key);

  ChainRules rules() const {
    return {.name = "mail.example.test",
            .now = kNow,
            .anchors = {},
            .system_anchors = false,
            .allow_incomplete = false,
            .otherwise = ", or say --allow-incomplete"};
  }

  static std::vector<std::vector<uint8_t>> Ders(const std::vector<Certificate>& chain) {
    std::vector<std::vector<uint8_t>> ders;
    for (const auto& one : chain) ders.push_back(one.der);
    return ders;
  }

  std::string Refusal(const std::vector<Certificate>& chain, const ChainRules& with) const {
    const auto result = CheckChain(chain, with);
    EXPECT_FALSE(result.has_value());
    if (result) return "";
    EXPECT_EQ(result.error().code, ErrorCode::kMalformed);
    return result.error().detail;
  }
};

TEST_F(Chain, IsGivenBackWithoutItsRoot) {
  const auto chain = CheckChain({leaf, middle, root}, rules());
  ASSERT_TRUE(chain.has_value()) << chain.error().detail;
  EXPECT_EQ(Ders(*chain), Ders({leaf, middle}));
}

TEST_F(Chain, MayEndAtAnAnchorThatTheOperatorGave) {
  ChainRules with = rules();
  with.anchors = {root};
  const auto chain = CheckChain({leaf, middle}, with);
  ASSERT_TRUE(chain.has_value()) << chain.error().detail;
  EXPECT_EQ(Ders(*chain), Ders({leaf, middle}));
}

TEST_F(Chain, KeepsASelfSignedLeaf) {
  const Certificate own = Issue({.dns_names = {"mail.example.test"}}, leaf_key, nullptr, leaf_key);
  const auto chain = CheckChain({own}, rules());
  ASSERT_TRUE(chain.has_value()) << chain.error().detail;
  EXPECT_EQ(Ders(*chain), Ders({own}));
}

TEST_F(Chain, WithoutAKnownRootIsIncomplete) {
  EXPECT_THAT(Refusal({leaf, middle}, rules()),
              AllOf(HasSubstr("incomplete"), HasSubstr("issued by \"CN=root\""),
                    HasSubstr("--allow-incomplete")));
}

TEST_F(Chain, WithoutAKnownRootIsTakenOnTheOperatorsWord) {
  ChainRules with = rules();
  with.allow_incomplete = true;
  EXPECT_TRUE(CheckChain({leaf, middle}, with).has_value());
}

TEST_F(Chain, WithoutItsIntermediateIsIncompleteAlthoughTheRootIsThere) {
  ChainRules with = rules();
  with.anchors = {root};
  EXPECT_THAT(Refusal({leaf}, with),
              AllOf(HasSubstr("incomplete"), HasSubstr("issued by \"CN=middle\"")));
  EXPECT_THAT(Refusal({leaf, root}, with), HasSubstr("\"CN=middle\", which is not in the file"));
}

TEST_F(Chain, OutOfOrderIsRefusedWithTheOrder) {
  EXPECT_THAT(Refusal({leaf, root, middle}, rules()),
              AllOf(HasSubstr("out of order"), HasSubstr("certificate 3 of 3 (CN=middle)")));
}

TEST_F(Chain, IssuedByACertificateOfTheSameNameAndAnotherKeyIsRefused) {
  const TestKey other_key = TestKey::Ec();
  const Certificate impostor =
      Issue({.subject = "middle", .is_ca = true}, other_key, &root, root_key);
  ChainRules with = rules();
  with.anchors = {root};
  EXPECT_THAT(Refusal({leaf, impostor}, with), HasSubstr("did not issue it"));
}

TEST_F(Chain, ForAnotherNameIsRefusedWithTheNamesItHas) {
  ChainRules with = rules();
  with.name = "www.example.test";
  EXPECT_THAT(Refusal({leaf, middle, root}, with),
              AllOf(HasSubstr("not for www.example.test"),
                    HasSubstr("for mail.example.test, imap.example.test")));
}

TEST_F(Chain, ExpiredIsRefusedWithTheDate) {
  const Certificate old = Issue(
      {.dns_names = {"mail.example.test"}, .not_before = kNow - 90 * kDay, .not_after = kNow - 1},
      leaf_key, &middle, middle_key);
  EXPECT_THAT(Refusal({old, middle, root}, rules()),
              AllOf(HasSubstr("certificate 1 of 3"), HasSubstr("expired at 2026-06-15T11:59:59Z")));
}

TEST_F(Chain, IsValidToTheLastSecond) {
  ChainRules with = rules();
  with.now = leaf.not_after;
  EXPECT_TRUE(CheckChain({leaf, middle, root}, with).has_value());
  with.now = leaf.not_before;
  EXPECT_TRUE(CheckChain({leaf, middle, root}, with).has_value());
}

TEST_F(Chain, NotYetValidIsRefusedWithTheDate) {
  const Certificate early = Issue({.dns_names = {"mail.example.test"}, .not_before = kNow + 1},
                                  leaf_key, &middle, middle_key);
  EXPECT_THAT(Refusal({early, middle, root}, rules()),
              HasSubstr("not valid before 2026-06-15T12:00:01Z"));
}

TEST_F(Chain, WithAnExpiredIntermediateIsRefused) {
  const Certificate old = Issue({.subject = "middle", .not_after = kNow - 1, .is_ca = true},
                                middle_key, &root, root_key);
  EXPECT_THAT(Refusal({leaf, old, root}, rules()),
              AllOf(HasSubstr("certificate 2 of 3"), HasSubstr("expired")));
}

TEST_F(Chain, OfNothingIsRefused) {
  EXPECT_THAT(Refusal({}, rules()), HasSubstr("no certificate"));
}

}  // namespace
}  // namespace keybroker::credential
