// scripts/packaging and the programs must say the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "keybroker/config/settings.h"
#include "support/temp_dir.h"
#include "tokenhost/options.h"

namespace keybroker::tokenhost {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

std::vector<std::vector<std::string>> WordsOf(const std::string& file) {
  const auto path = std::filesystem::path(KB_SOURCE_DIR) / "scripts/packaging" / file;
  std::istringstream lines(test::ReadAll(path));
  std::vector<std::vector<std::string>> result;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> list;
    for (std::string word; words >> word;) list.push_back(word);
    if (!list.empty() && list[0][0] != '#') result.push_back(list);
  }
  EXPECT_FALSE(result.empty()) << path;
  return result;
}

TEST(Packaging, MakesTheUsersOfTheDefaultConfiguration) {
  const config::Settings settings;
  std::vector<std::string> users;
  for (const auto& words : WordsOf("sysusers.d/keybroker.conf")) users.push_back(words.at(1));
  EXPECT_THAT(users, ElementsAre(settings.broker_user, settings.token_user));
}

TEST(Packaging, MakesTheDirectoriesAsTheProgramsWantThem) {
  const config::Settings settings;
  std::vector<std::string> directories;
  for (const auto& words : WordsOf("tmpfiles.d/keybroker.conf")) {
    directories.push_back(words.at(1) + " " + words.at(2) + " " + words.at(3) + " " + words.at(4));
  }
  EXPECT_THAT(
      directories,
      ElementsAre(settings.runtime_dir.string() + " 0755 root root",
                  settings.TokenSocketDir().string() + " 2750 keybroker-token keybroker",
                  settings.state_dir.string() + " 0755 root root",
                  settings.TokenStateDir().string() + " 0700 keybroker-token keybroker-token",
                  settings.BrokerStateDir().string() + " 0700 keybroker keybroker",
                  settings.OperatorStateDir().string() + " 0700 root root"));
}

TEST(Packaging, StartsTheTokenhostWithArgumentsItTakes) {
  const auto lines = WordsOf("systemd/keybroker-tokenhost@.service");
  for (const auto& words : lines) {
    if (words[0].rfind("ExecStart=", 0) != 0) continue;
    std::vector<std::string_view> arguments(words.begin() + 1, words.end());
    for (auto& argument : arguments) {
      if (argument == "%i") argument = "main";
    }
    const auto options = ParseOptions(arguments);
    ASSERT_TRUE(options) << options.error().detail;
    EXPECT_EQ(options->config, config::kDefaultConfig);
    EXPECT_EQ(options->token, "main");
  }
  EXPECT_THAT(lines, Contains(ElementsAre("RestartPreventExitStatus=64", "78")));
  EXPECT_THAT(lines, Contains(ElementsAre("User=" + config::Settings().token_user)));
}

TEST(Packaging, ListensWhereTheBrokerLooks) {
  EXPECT_THAT(WordsOf("systemd/keybroker-tokenhost@.socket"),
              Contains(ElementsAre("ListenSequentialPacket=" +
                                   config::Settings().TokenSocket("%i").string())));
}

}  // namespace
}  // namespace keybroker::tokenhost
