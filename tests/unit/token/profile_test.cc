#include "keybroker/token/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keybroker::token {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kWhole[] =
    "[profile]\nmodel = \"Acme HSM\"\nhang_limit_ms = 2500\nallowed_mechanisms = true\n"
    "public_key_info = true\nseveral_processes = false\nid_at_generation = false\n"
    "hash_and_sign = false\nrsa_bits = [2048, 3072]\nec_curves = [\"P-256\", \"P-384\"]\n"
    "wrap = [\"aes256-wrap-pad\"]\n";

TEST(Profile, IsReadAndWrittenAlike) {
  const auto profile = ParseProfile(kWhole, "/usr/share/keybroker/tokens/acme.toml");
  ASSERT_TRUE(profile) << profile.error().detail;
  EXPECT_EQ(profile->name, "acme");
  EXPECT_EQ(profile->model, "Acme HSM");
  EXPECT_EQ(profile->hang_limit, std::chrono::milliseconds(2500));
  EXPECT_TRUE(profile->allowed_mechanisms);
  EXPECT_TRUE(profile->public_key_info);
  EXPECT_FALSE(profile->several_processes);
  EXPECT_FALSE(profile->id_at_generation);
  EXPECT_FALSE(profile->hash_and_sign);
  EXPECT_THAT(profile->rsa_bits, ElementsAre(2048u, 3072u));
  EXPECT_THAT(profile->ec_curves, ElementsAre("P-256", "P-384"));
  EXPECT_THAT(profile->wrap, ElementsAre("aes256-wrap-pad"));
  EXPECT_EQ(FormatProfile(*profile), kWhole);
}

TEST(Profile, IsTheGenericOneWithoutAName) {
  const auto profile = LoadProfile("/nonexistent", "");
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->name, "generic");
  EXPECT_EQ(FormatProfile(*profile), FormatProfile(Profile{}));
}

TEST(Profile, IsNotFoundWithWhatToDo) {
  const auto profile = LoadProfile("/usr", "acme");
  ASSERT_FALSE(profile);
  EXPECT_EQ(profile.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(profile.error().detail, HasSubstr("/usr/acme.toml"));
  EXPECT_THAT(profile.error().detail, HasSubstr("keybroker token probe"));
}

TEST(Profile, ComplainsWithFileAndLine) {
  for (const char* line : {"hang_limit_ms = 1", "rsa_bits = [512]", "speed = 3",
                           "allowed_mechanisms = \"yes\"", "ec_curves = [1]"}) {
    const auto profile = ParseProfile(std::string("[profile]\n") + line + "\n", "acme.toml");
    ASSERT_FALSE(profile) << line;
    EXPECT_EQ(profile.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(profile.error().detail, HasSubstr("acme.toml:2: ")) << line;
  }
}

}  // namespace
}  // namespace keybroker::token
