#include "cli/key_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/certificate_match.h"
#include "keybroker/base/hex.h"

namespace keybroker::cli {
namespace {

using cryptoki::KeyType;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

token::KeyPair Key(const char* name, KeyType type, uint8_t id) {
  token::KeyPair key;
  key.label = name;
  key.type = type;
  key.id = {id};
  key.spki = {0x30, id};
  return key;
}

class KeyChoice : public ::testing::Test {
 protected:
  std::string Picked(const KeyWish& wish) const {
    const auto key = PickKey(keys, current, wish);
    return key ? Hex((*key)->id)
               : std::string(ErrorCodeName(key.error().code)) + ": " + key.error().detail;
  }

  token::KeyList keys{{Key("a.test", KeyType::kRsa, 1), Key("a.test", KeyType::kEc, 2),
                       Key("b.test", KeyType::kEc, 3), Key("b.test", KeyType::kEc, 4)},
                      {}};
  policy::CurrentKeys current{{{{"b.test", KeyType::kEc}, "04"}}};
};

TEST_F(KeyChoice, TakesTheCurrentGeneration) { EXPECT_EQ(Picked({"b.test", {}, ""}), "04"); }

TEST_F(KeyChoice, TakesAnotherGenerationById) { EXPECT_EQ(Picked({"b.test", {}, "03"}), "03"); }

TEST_F(KeyChoice, TakesTheOnlyOneOfItsType) {
  EXPECT_EQ(Picked({"a.test", KeyType::kRsa, ""}), "01");
  EXPECT_EQ(Picked({"a.test", KeyType::kEc, ""}), "02");
}

TEST_F(KeyChoice, AsksForTheTypeWhenThereAreTwo) {
  EXPECT_THAT(Picked({"a.test", {}, ""}), AllOf(HasSubstr("malformed"), HasSubstr("--type")));
}

TEST_F(KeyChoice, AsksForTheGenerationWhenNoneIsCurrent) {
  current.ids.clear();
  EXPECT_THAT(Picked({"b.test", {}, ""}), AllOf(HasSubstr("conflict"), HasSubstr("--id")));
}

TEST_F(KeyChoice, SaysWhatThereIsWhenTheKeyIsNot) {
  EXPECT_THAT(Picked({"a.test", KeyType::kRsa, "09"}),
              AllOf(HasSubstr("not-found: there is no rsa key a.test with the id 09"),
                    HasSubstr("of that name the token has a.test (rsa, id 01); a.test (ec, id 02)"),
                    Not(HasSubstr("b.test"))));
}

TEST_F(KeyChoice, NamesTheNearestAndHowManyThereAreRatherThanAll) {
  for (uint8_t i = 10; i < 90; ++i) {
    keys.keys.push_back(Key("other.example.test", KeyType::kEc, i));
  }
  EXPECT_THAT(Picked({"a.tset", {}, ""}),
              AllOf(HasSubstr("did you mean a.test (rsa, id 01); a.test (ec, id 02)? There are 84 "
                              "keys on the token: `keybroker key list`"),
                    Not(HasSubstr("other.example.test"))));
  EXPECT_THAT(Picked({"nowhere.test.example", {}, ""}),
              AllOf(Not(HasSubstr("did you mean")), HasSubstr(": There are 84 keys")));
  EXPECT_THAT(Picked({"other.example.test", {}, "09"}), HasSubstr("; and 72 more"));
}

TEST_F(KeyChoice, AListedIdThatIsGoneLeavesNoneCurrent) {
  current.ids[{"a.test", KeyType::kRsa}] = "ff";
  EXPECT_FALSE(IsCurrent(keys, current, keys.keys[0]));
}

TEST(KeyWish, RefusesWhatIsNoNameTypeOrId) {
  EXPECT_FALSE(MakeWish("A.test", "", "").has_value());
  EXPECT_FALSE(MakeWish("a.test", "dsa", "").has_value());
  EXPECT_FALSE(MakeWish("a.test", "", "0g").has_value());
  EXPECT_EQ(MakeWish("a.test", "ec", "AB")->id, "ab");
}

TEST(KeyType, Ed25519IsRefusedWithItsReason) {
  const auto type = ParseType("ed25519");
  ASSERT_FALSE(type.has_value());
  EXPECT_THAT(type.error().detail, HasSubstr("libp11 0.4.12"));
}

class CertificateMatch : public KeyChoice {
 protected:
  static credential::Certificate For(uint8_t id) {
    credential::Certificate certificate;
    certificate.spki = {0x30, id};
    return certificate;
  }
  std::string Matched(const KeyWish& wish,
                      const std::vector<credential::Certificate>& certificates) const {
    const auto key = MatchKey(keys, wish, certificates);
    return key ? Hex((*key)->id) : key.error().detail;
  }
};

TEST_F(CertificateMatch, FitsAnyGenerationOfTheName) {
  EXPECT_EQ(Matched({"b.test", {}, ""}, {For(3)}), "03");
  EXPECT_EQ(Matched({"b.test", {}, ""}, {For(4)}), "04");
}

TEST_F(CertificateMatch, SaysWhichKeyItFits) {
  EXPECT_THAT(Matched({"b.test", {}, ""}, {For(1)}), HasSubstr("that of a.test (rsa, id 01)"));
  EXPECT_THAT(Matched({"a.test", KeyType::kEc, ""}, {For(1)}),
              HasSubstr("that of a.test (rsa, id 01)"));
  EXPECT_THAT(Matched({"c.test", {}, ""}, {For(1)}), HasSubstr("that of a.test (rsa, id 01)"));
  EXPECT_THAT(Matched({"b.test", {}, ""}, {For(9)}), HasSubstr("fits no key on the token"));
}

TEST_F(CertificateMatch, SaysThatTheLeafMustComeFirst) {
  EXPECT_THAT(Matched({"b.test", {}, ""}, {For(9), For(3)}),
              AllOf(HasSubstr("out of order"), HasSubstr("certificate 2")));
}

}  // namespace
}  // namespace keybroker::cli
