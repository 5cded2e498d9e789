#include "tokenhost/options.h"

#include <gtest/gtest.h>

namespace keybroker::tokenhost {
namespace {

Result<Options> Parse(std::initializer_list<std::string_view> arguments) {
  return ParseOptions({arguments.begin(), arguments.size()});
}

TEST(TokenhostOptions, TakeAConfigurationAndAToken) {
  const auto options = Parse({"--config", "/x/keybroker.toml", "--token", "main", "--check"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->config, "/x/keybroker.toml");
  EXPECT_EQ(options->token, "main");
  EXPECT_TRUE(options->check);
}

TEST(TokenhostOptions, NeedNoTokenForHelp) {
  const auto options = Parse({"--help"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->help);
  EXPECT_FALSE(HelpText().empty());
}

TEST(TokenhostOptions, RefuseWhatTheyDoNotKnow) {
  EXPECT_EQ(Parse({"--pin", "1234"}).error().detail,
            "unknown argument \"--pin\"; see keybroker-tokenhost --help");
  EXPECT_EQ(Parse({"--token"}).error().detail,
            "--token needs a value; see keybroker-tokenhost --help");
  EXPECT_EQ(Parse({}).error().detail, "--token NAME is missing; see keybroker-tokenhost --help");
}

TEST(TokenhostOptions, RefuseATokenNameThatIsAPath) {
  EXPECT_EQ(Parse({"--token", "../main"}).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace keybroker::tokenhost
