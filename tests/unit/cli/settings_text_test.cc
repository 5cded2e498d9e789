#include "cli/settings_text.h"

#include <gtest/gtest.h>

#include "keybroker/config/settings.h"

namespace keybroker::cli {
namespace {

TEST(SetOption, ChangesOneValueAndKeepsEverythingElse) {
  const std::string before = config::DefaultSettingsText();
  std::string text = before;
  ASSERT_TRUE(SetOption(text, "state_dir", "/srv/\"k\""));
  const auto settings = config::ParseSettings(text, "/etc/keybroker/keybroker.toml");
  ASSERT_TRUE(settings.has_value()) << settings.error().detail;
  EXPECT_EQ(settings->state_dir, "/srv/\"k\"");
  EXPECT_EQ(settings->runtime_dir, "/run/keybroker");
  ASSERT_TRUE(SetOption(text, "state_dir", "/var/lib/keybroker"));
  EXPECT_EQ(text, before);
}

TEST(SetOption, KnowsEveryOptionOfSetup) {
  for (const char* key :
       {"runtime_dir", "state_dir", "profiles_dir", "broker_user", "token_user", "admin_group"}) {
    std::string text = config::DefaultSettingsText();
    EXPECT_TRUE(SetOption(text, key, "x")) << key;
  }
}

TEST(SetOption, RefusesAKeyThatIsNotThere) {
  std::string text = config::DefaultSettingsText();
  EXPECT_FALSE(SetOption(text, "nonsense", "x"));
}

TEST(SetOption, WithoutAValueChangesNothing) {
  std::string text = "as it was";
  EXPECT_TRUE(SetOption(text, "state_dir", ""));
  EXPECT_EQ(text, "as it was");
}

}  // namespace
}  // namespace keybroker::cli
