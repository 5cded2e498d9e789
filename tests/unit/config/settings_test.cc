#include "keybroker/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/base/kdf_floor.h"
#include "support/temp_dir.h"

namespace keybroker::config {
namespace {

const std::filesystem::path kFile = "/etc/keybroker/keybroker.toml";

std::string FaultOf(std::string_view text) {
  const auto settings = ParseSettings(text, kFile);
  return settings ? "" : settings.error().detail;
}

void ExpectDefaults(const Settings& settings) {
  const Settings defaults;
  EXPECT_EQ(settings.file, kFile);
  EXPECT_EQ(settings.runtime_dir, "/run/keybroker");
  EXPECT_EQ(settings.state_dir, "/var/lib/keybroker");
  EXPECT_EQ(settings.listeners_dir, "/etc/keybroker/listeners.d");
  EXPECT_EQ(settings.tokens_dir, "/etc/keybroker/tokens.d");
  EXPECT_EQ(settings.current_file, "/etc/keybroker/current.toml");
  EXPECT_EQ(settings.profiles_dir, "/usr/share/keybroker/tokens");
  EXPECT_EQ(settings.broker_user, defaults.broker_user);
  EXPECT_EQ(settings.token_user, defaults.token_user);
  EXPECT_EQ(settings.admin_group, defaults.admin_group);
  EXPECT_EQ(settings.workers, defaults.workers);
  EXPECT_EQ(settings.max_connections, defaults.max_connections);
  EXPECT_EQ(settings.request_deadline, defaults.request_deadline);
  EXPECT_EQ(settings.unavailable_budget, defaults.unavailable_budget);
  EXPECT_EQ(settings.signatures, defaults.signatures);
  EXPECT_EQ(settings.on_failure, defaults.on_failure);
  EXPECT_EQ(settings.backup_formats, defaults.backup_formats);
  EXPECT_EQ(settings.backup_recipients, defaults.backup_recipients);
  EXPECT_EQ(settings.backup_iterations, defaults.backup_iterations);
  EXPECT_EQ(settings.backup_password_length, defaults.backup_password_length);
  EXPECT_EQ(settings.backup_restore_exportable, defaults.backup_restore_exportable);
  EXPECT_EQ(settings.backup_days, defaults.backup_days);
  EXPECT_EQ(settings.drill_days, defaults.drill_days);
}

TEST(Settings, LetNoBackupBeCheap) {
  EXPECT_THAT(FaultOf("[backup]\niterations = " + std::to_string(kKdfFloor - 1) + "\n"),
              ::testing::HasSubstr(std::to_string(kKdfFloor)));
  EXPECT_THAT(FaultOf("[backup]\npassword_length = 14\n"), ::testing::HasSubstr("15"));
}

TEST(Settings, SayWhichBackupsMayBeMadeAndForWhom) {
  const auto settings = ParseSettings(
      "[backup]\nformats = [\"cms\"]\nrecipients = [\"one.crt\", \"/safe/two.crt\"]\n", kFile);
  ASSERT_TRUE(settings.has_value()) << settings.error().detail;
  EXPECT_EQ(settings->backup_formats, std::vector<std::string>{"cms"});
  EXPECT_EQ(settings->backup_recipients,
            (std::vector<std::filesystem::path>{"/etc/keybroker/one.crt", "/safe/two.crt"}));
  for (const char* wrong : {"[]", "[\"jks\"]", "[\"cms\", \"cms\"]"}) {
    EXPECT_THAT(FaultOf(std::string("[backup]\nformats = ") + wrong + "\n"),
                ::testing::HasSubstr("must be a list of"));
  }
  EXPECT_THAT(FaultOf("[backup]\nrecipients = [\"\"]\n"), ::testing::HasSubstr("recipients"));
  std::string many = "\"a.crt\"";
  for (int i = 0; i < 16; ++i) many += ", \"a.crt\"";
  EXPECT_THAT(FaultOf("[backup]\nrecipients = [" + many + "]\n"),
              ::testing::HasSubstr("at most 16"));
}

TEST(Settings, HaveDefaultsForEverything) {
  const auto settings = ParseSettings("", kFile);
  ASSERT_TRUE(settings.has_value()) << settings.error().detail;
  ExpectDefaults(*settings);
}

TEST(Settings, DefaultTextIsExactlyTheDefaults) {
  const auto settings = ParseSettings(DefaultSettingsText(), kFile);
  ASSERT_TRUE(settings.has_value()) << settings.error().detail;
  ExpectDefaults(*settings);
}

TEST(Settings, DefaultTextHasEveryOptionWithACommentAbove) {
  const std::string text = DefaultSettingsText();
  std::vector<std::string> options;
  std::string above;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (const size_t equals = line.find(" = "); !line.starts_with('#') && equals != line.npos) {
      options.push_back(line.substr(0, equals));
      EXPECT_TRUE(above.starts_with("# ")) << line;
    }
    above = line;
  }
  EXPECT_THAT(options,
              ::testing::ElementsAre(
                  "runtime_dir", "state_dir", "listeners_dir", "tokens_dir", "current_file",
                  "profiles_dir", "broker_user", "token_user", "admin_group", "workers",
                  "max_connections", "request_deadline_ms", "unavailable_budget_ms", "signatures",
                  "on_failure", "rotate_mib", "formats", "recipients", "iterations",
                  "password_length", "restore_exportable", "backup_days", "drill_days"));
  // Each of them is read: any other value changes something or is refused.
  for (const std::string& option : options) {
    std::string other = text;
    const size_t value = other.find("\n" + option + " = ") + option.size() + 4;
    other.replace(value, other.find('\n', value) - value, "{}");
    EXPECT_FALSE(ParseSettings(other, kFile).has_value()) << option;
  }
}

TEST(Settings, ReadEveryOption) {
  const auto settings = ParseSettings(
      "[paths]\nruntime_dir = \"run\"\nstate_dir = \"/s\"\nlisteners_dir = \"../l\"\n"
      "tokens_dir = \"t\"\ncurrent_file = \"c\"\nprofiles_dir = \"p\"\n"
      "[users]\nbroker_user = \"b\"\ntoken_user = \"u\"\nadmin_group = \"g\"\n"
      "[broker]\nworkers = 2\nmax_connections = 3\nrequest_deadline_ms = 400\n"
      "unavailable_budget_ms = 0\n[audit]\nsignatures = \"per-second\"\non_failure = "
      "\"continue\"\n",
      kFile);
  ASSERT_TRUE(settings.has_value()) << settings.error().detail;
  EXPECT_EQ(settings->runtime_dir, "/etc/keybroker/run");
  EXPECT_EQ(settings->state_dir, "/s");
  EXPECT_EQ(settings->listeners_dir, "/etc/l");
  EXPECT_EQ(settings->tokens_dir, "/etc/keybroker/t");
  EXPECT_EQ(settings->current_file, "/etc/keybroker/c");
  EXPECT_EQ(settings->profiles_dir, "/etc/keybroker/p");
  EXPECT_EQ(settings->broker_user, "b");
  EXPECT_EQ(settings->token_user, "u");
  EXPECT_EQ(settings->admin_group, "g");
  EXPECT_EQ(settings->workers, 2U);
  EXPECT_EQ(settings->max_connections, 3U);
  EXPECT_EQ(settings->request_deadline.count(), 400);
  EXPECT_EQ(settings->unavailable_budget.count(), 0);
  EXPECT_EQ(settings->signatures, SignatureAudit::kPerSecond);
  EXPECT_EQ(settings->on_failure, AuditFailure::kContinue);
  EXPECT_EQ(settings->ListenerSocket("https"), "/etc/keybroker/run/https/socket");
  EXPECT_EQ(settings->TokenSocket("hsm"), "/etc/keybroker/run/tokens/hsm.socket");
  EXPECT_EQ(settings->AdminSocket(), "/etc/keybroker/run/admin.socket");
}

TEST(Settings, ReportSeveralMistakesTogether) {
  EXPECT_EQ(FaultOf("[broker]\nworkers = 0\nmax_connection = 5\n[audit]\nsignatures = \"some\"\n"
                    "[brokre]\n[users]\ntoken_user = \"\"\n[paths]\nstate_dir = \"\"\n"),
            "/etc/keybroker/keybroker.toml:2: workers: must be a whole number from 1 to 64\n"
            "/etc/keybroker/keybroker.toml:3: unknown key \"max_connection\"; the legal keys here "
            "are max_connections, request_deadline_ms, unavailable_budget_ms, workers\n"
            "/etc/keybroker/keybroker.toml:5: signatures: must be one of \"each\", "
            "\"per-second\"\n"
            "/etc/keybroker/keybroker.toml:6: unknown key \"brokre\"; the legal keys here are "
            "audit, backup, broker, paths, users\n"
            "/etc/keybroker/keybroker.toml:8: token_user: must not be empty\n"
            "/etc/keybroker/keybroker.toml:10: state_dir: must not be empty");
}

TEST(Settings, RefuseARuntimeFolderThatLeavesNoRoomForSockets) {
  EXPECT_EQ(FaultOf("[paths]\nruntime_dir = \"/" + std::string(59, 'r') + "\"\n"), "");
  EXPECT_EQ(FaultOf("[paths]\nruntime_dir = \"/" + std::string(60, 'r') + "\"\n"),
            "/etc/keybroker/keybroker.toml:2: runtime_dir: must have at most 60 characters, "
            "because the paths of the sockets in it are limited to 107");
  const auto settings =
      ParseSettings("[paths]\nruntime_dir = \"/" + std::string(59, 'r') + "\"\n", kFile);
  EXPECT_EQ(settings->TokenSocket(std::string(32, 't')).native().size(), 107U);
}

TEST(Settings, LoadFromAFileWhosePathIsRelative) {
  const test::TempDir dir;
  test::WriteAll(dir / "k.toml", "[paths]\nstate_dir = \"s\"\n");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  const auto settings = LoadSettings("k.toml");
  std::filesystem::current_path(before);
  ASSERT_TRUE(settings.has_value()) << settings.error().detail;
  EXPECT_EQ(settings->file, dir / "k.toml");
  EXPECT_EQ(settings->state_dir, dir / "s");
}

TEST(Settings, SayHowToMakeAMissingFile) {
  const auto settings = LoadSettings("/nonexistent/keybroker.toml");
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(settings.error().detail,
            "there is no configuration at /nonexistent/keybroker.toml; `keybroker setup` writes "
            "one, --config FILE names another");
}

TEST(Name, IsShortAndPlain) {
  for (const char* name : {"a", "https", "smtp-25", "a1", "abcdefghijklmnopqrstuvwxyz012345"}) {
    EXPECT_TRUE(CheckName("listener", name).has_value()) << name;
  }
}

TEST(Name, IsRefusedWithTheRuleItBreaks) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "must have 1 to 32 characters"},
      {std::string(33, 'a'), "must have 1 to 32 characters"},
      {"1a", "must begin with a letter a to z"},
      {"-a", "must begin with a letter a to z"},
      {"Https", "must begin with a letter a to z"},
      {"hTTPS", "may contain a to z, 0 to 9 and '-' only"},
      {"a_b", "may contain a to z, 0 to 9 and '-' only"},
      {"a/b", "may contain a to z, 0 to 9 and '-' only"},
      {"a..", "may contain a to z, 0 to 9 and '-' only"},
      {"tokens", "is reserved: it names one of keybroker's own sockets"},
      {"admin", "is reserved: it names one of keybroker's own sockets"},
  };
  for (const auto& [name, rule] : cases) {
    const Status status = CheckName("listener", name);
    ASSERT_FALSE(status.has_value()) << name;
    EXPECT_EQ(status.error().detail, "the listener name \"" + name + "\" " + rule);
  }
}

}  // namespace
}  // namespace keybroker::config
