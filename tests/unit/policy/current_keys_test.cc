#include "keybroker/policy/current_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keybroker::policy {
namespace {

using cryptoki::KeyType;
using ::testing::ElementsAre;
using ::testing::Pair;

TEST(CurrentKeys, AreReadPerNameAndType) {
  const auto keys = ParseCurrentKeys(
      "[\"a.test\"]\nrsa = \"01ab\"\nec = \"02\"\n[\"*.b.test\"]\nec = \"03\"\n", "c");
  ASSERT_TRUE(keys.has_value()) << keys.error().detail;
  EXPECT_THAT(keys->ids, ElementsAre(Pair(Pair("*.b.test", KeyType::kEc), "03"),
                                     Pair(Pair("a.test", KeyType::kRsa), "01ab"),
                                     Pair(Pair("a.test", KeyType::kEc), "02")));
}

TEST(CurrentKeys, AreWrittenSortedAndReadBack) {
  CurrentKeys keys;
  keys.ids[{"b.test", KeyType::kEc}] = "03";
  keys.ids[{"a.test", KeyType::kEc}] = "02";
  keys.ids[{"a.test", KeyType::kRsa}] = "01ab";
  const std::string text = FormatCurrentKeys(keys);
  EXPECT_EQ(text.substr(text.find("\n\n")),
            "\n\n[\"a.test\"]\nrsa = \"01ab\"\nec = \"02\"\n\n[\"b.test\"]\nec = \"03\"\n");
  const auto again = ParseCurrentKeys(text, "c");
  ASSERT_TRUE(again.has_value()) << again.error().detail;
  EXPECT_EQ(again->ids, keys.ids);
  EXPECT_TRUE(ParseCurrentKeys(FormatCurrentKeys({}), "c")->ids.empty());
}

TEST(CurrentKeys, AreRefusedWithLineAndReason) {
  const std::string bad_id = "must be a CKA_ID in lower-case hexadecimal, 1 to 64 bytes";
  const std::pair<std::string, std::string> cases[] = {
      {"[\"a.test\"]\nrsa = \"01AB\"\n", "c:2: rsa: " + bad_id},
      {"[\"a.test\"]\nrsa = \"\"\n", "c:2: rsa: " + bad_id},
      {"[\"a.test\"]\nec = \"0\"\n", "c:2: ec: " + bad_id},
      {"[\"a.test\"]\nec = \"" + std::string(130, '0') + "\"\n", "c:2: ec: " + bad_id},
      {"[\"a.test\"]\ndsa = \"01\"\n", "c:2: unknown key \"dsa\"; the legal keys here are ec, rsa"},
      {"[\"A.test\"]\nrsa = \"01\"\n",
       "c:1: A.test: the key name \"A.test\" has upper-case letters; write it as \"a.test\""},
      {"rsa = \"01\"\n", "c:1: rsa: must be a table: [rsa]"},
  };
  for (const auto& [text, fault] : cases) {
    const auto keys = ParseCurrentKeys(text, "c");
    ASSERT_FALSE(keys.has_value()) << text;
    EXPECT_EQ(keys.error().detail, fault);
  }
}

}  // namespace
}  // namespace keybroker::policy
