#include "keybroker/token/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/token/pin_source.h"
#include "support/temp_dir.h"

namespace keybroker::token {
namespace {

using testing::HasSubstr;

constexpr char kWhole[] = R"([token]
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "web"
serial = "0a1b2c3d"
profile = "softhsm2"
init_args = "configdir='sql:/x' flags="
pin_file = "/etc/keybroker/pin/web"
sessions = 8
[token.environment]
SOFTHSM2_CONF = "/etc/softhsm/softhsm2.conf"
)";

TEST(TokenConfig, IsReadWithEveryField) {
  const auto config = ParseTokenConfig(kWhole, "/etc/keybroker/tokens.d/web.toml");
  ASSERT_TRUE(config) << config.error().detail;
  EXPECT_EQ(config->name, "web");
  EXPECT_EQ(config->module, "/usr/lib/softhsm/libsofthsm2.so");
  EXPECT_EQ(config->label, "web");
  EXPECT_EQ(config->serial, "0a1b2c3d");
  EXPECT_EQ(config->profile, "softhsm2");
  EXPECT_EQ(config->init_args, "configdir='sql:/x' flags=");
  EXPECT_EQ(config->pin_file, "/etc/keybroker/pin/web");
  EXPECT_EQ(config->pin_credential, "");
  EXPECT_EQ(config->sessions, 8u);
  EXPECT_THAT(config->environment,
              testing::ElementsAre(std::pair{"SOFTHSM2_CONF", "/etc/softhsm/softhsm2.conf"}));
}

TEST(TokenConfig, IsWrittenAsItIsRead) {
  const auto config = ParseTokenConfig(kWhole, "/etc/keybroker/tokens.d/web.toml");
  ASSERT_TRUE(config);
  const std::string text = FormatTokenConfig(*config);
  const auto again = ParseTokenConfig(text, "/etc/keybroker/tokens.d/web.toml");
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(FormatTokenConfig(*again), text);
  EXPECT_EQ(again->environment, config->environment);
  EXPECT_EQ(again->init_args, config->init_args);
  EXPECT_EQ(again->sessions, config->sessions);
}

TEST(TokenConfig, TakesAPinFileBesideItself) {
  const auto config = ParseTokenConfig(
      "[token]\nmodule = \"/m.so\"\nlabel = \"x\"\npin_file = \"pin\"\n", "/etc/kb/t/x.toml");
  ASSERT_TRUE(config) << config.error().detail;
  EXPECT_EQ(config->pin_file, "/etc/kb/t/pin");
}

struct Bad {
  const char* text;
  const char* complaint;
};

TEST(TokenConfig, ComplainsWithFileAndLine) {
  for (const Bad& bad : {
           Bad{"[token]\nlabel = \"x\"\n", "x.toml:1"},
           Bad{"[token]\nmodule = \"m.so\"\nlabel = \"x\"\n", "x.toml:2: "},
           Bad{"[token]\nmodule = \"/m.so\"\nlabel = \"x\"\nsession = 3\n", "x.toml:4: "},
           Bad{"[token]\nmodule = \"/m.so\"\nlabel = \"x\"\nsessions = 65\n", "x.toml:4: "},
           Bad{"[token]\nmodule = \"/m.so\"\nlabel = \"x\"\nprofile = \"../x\"\n", "x.toml:4: "},
           Bad{"[token]\nmodule = \"/m.so\"\nlabel = \"x\"\npin_file = \"a\"\n"
               "pin_credential = \"b\"\n",
               "x.toml:5: "},
           Bad{"[token]\nmodule = \"/m.so\"\nlabel = \"x\"\npin_credential = \"a/b\"\n",
               "x.toml:4: "},
           Bad{"[token]\nmodule = /m.so\n", "x.toml:2"},
       }) {
    const auto config = ParseTokenConfig(bad.text, "/etc/kb/x.toml");
    ASSERT_FALSE(config) << bad.text;
    EXPECT_EQ(config.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(config.error().detail, HasSubstr(bad.complaint)) << bad.text;
  }
}

TEST(TokenConfig, IsNotFoundWithTheCommandThatMakesIt) {
  const test::TempDir dir;
  config::Settings settings;
  settings.tokens_dir = dir.path();
  const auto config = LoadTokenConfig(settings, "main");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(config.error().detail, HasSubstr("keybroker token add"));
}

TEST(TokenConfig, IsLoadedForEveryTomlFileInOrder) {
  const test::TempDir dir;
  config::Settings settings;
  settings.tokens_dir = dir.path();
  for (const char* name : {"b.toml", "a.toml", "c.txt"}) {
    test::WriteAll(dir / name, "[token]\nmodule = \"/m.so\"\nlabel = \"x\"\n");
  }
  const auto configs = LoadTokenConfigs(settings);
  ASSERT_TRUE(configs) << configs.error().detail;
  std::vector<std::string> names;
  for (const TokenConfig& config : *configs) names.push_back(config.name);
  EXPECT_THAT(names, testing::ElementsAre("a", "b"));
}

class PinSource : public testing::Test {
 protected:
  void SetUp() override {
    test::WriteAll(dir_ / "pin", "4711\n");
    std::filesystem::permissions(dir_ / "pin", std::filesystem::perms(0600));
  }
  void TearDown() override { unsetenv("CREDENTIALS_DIRECTORY"); }
  static std::string Text(const Secret& secret) {
    return {secret.Expose().begin(), secret.Expose().end()};
  }
  test::TempDir dir_;
  TokenConfig config_;
};

TEST_F(PinSource, IsNothingWhenNoneIsConfigured) {
  const auto pin = ReadPin(config_);
  ASSERT_TRUE(pin);
  EXPECT_FALSE(pin->has_value());
}

TEST_F(PinSource, IsAFileThatOnlyItsOwnerReads) {
  config_.pin_file = dir_ / "pin";
  auto pin = ReadPin(config_);
  ASSERT_TRUE(pin && pin->has_value());
  EXPECT_EQ(Text(**pin), "4711");
  std::filesystem::permissions(dir_ / "pin", std::filesystem::perms(0640));
  pin = ReadPin(config_);
  ASSERT_FALSE(pin);
  EXPECT_EQ(pin.error().code, ErrorCode::kDenied);
  EXPECT_THAT(pin.error().detail, testing::Not(HasSubstr("4711")));
}

TEST_F(PinSource, IsACredentialOfTheServiceManager) {
  config_.pin_credential = "pin";
  auto pin = ReadPin(config_);
  ASSERT_FALSE(pin);
  EXPECT_EQ(pin.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(pin.error().detail, HasSubstr("LoadCredential="));
  setenv("CREDENTIALS_DIRECTORY", dir_.path().c_str(), 1);
  pin = ReadPin(config_);
  ASSERT_TRUE(pin && pin->has_value());
  EXPECT_EQ(Text(**pin), "4711");
}

}  // namespace
}  // namespace keybroker::token
