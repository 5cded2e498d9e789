// backup export --all of many keys: what it shows, and what Ctrl-C leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "keybroker/token/key_pair.h"
#include "keybroker/token/profile.h"
#include "keybroker/token/token.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kKeys = 24;  // of two batches

class ManyKeys : public SafeHost {
 protected:
  void SetUp() override {
    SafeHost::SetUp();
    std::filesystem::permissions(File("safe"), std::filesystem::perms::owner_all);
    const Status made = MakeKeys();
    ASSERT_TRUE(made) << made.error().detail;
    GiveTokenFiles();
    command_ = {std::string(KB_BUILD_DIR) + "/bin/keybroker",
                "--config",
                File("etc/keybroker.toml"),
                "backup",
                "export",
                "--all",
                "-o",
                File("safe"),
                "--password-file",
                File("password")};
  }

  // MakeKeys is quicker than a command for each.
  Status MakeKeys() const {
    token::TokenConfig config;
    config.module = KB_SOFTHSM;
    config.label = "stack";
    config.environment["SOFTHSM2_CONF"] = File("token/softhsm2.conf");
    KB_ASSIGN(auto module, token::Module::Load(config));
    KB_ASSIGN(auto token, token::Token::Find(std::move(module), config));
    KB_ASSIGN(const auto pin, Secret::CopyFrom(std::string_view(kPin)));
    KB_ASSIGN(auto guard, token::PinGuard::Open(File("guard"), token.info().serial, "main"));
    KB_TRY(token.Login(pin, guard));
    KB_ASSIGN(const auto session, token.OpenSession(true));
    for (size_t i = 0; i < kKeys; ++i) {
      const std::string name = "k" + std::to_string(i) + ".example.test";
      KB_TRY(token::GenerateKey(session, {}, {cryptoki::KeyType::kEc, 256, name, true}));
    }
    return {};
  }

  size_t Files() const {
    const std::filesystem::directory_iterator all(File("safe"));
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

  // ExpectWhole: every file of the folder is a backup with its MAC, and is what the record says.
  void ExpectWhole(size_t count) const {
    EXPECT_EQ(Files(), count);
    const Json drill =
        Answer({"drill", File("safe"), "--level", "1", "--password-file", File("password")});
    EXPECT_EQ(drill["good_count"], count);
    const auto check = Run({"--json", "backup", "check"});
    const Json known = Json::parse(check.out, nullptr, false);
    EXPECT_EQ(known["count"], count);
    for (const auto& each : known["backups"]) EXPECT_EQ(each["state"], "drill-due") << each;
    EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
  }

  Arguments command_;
};

TEST_F(ManyKeys, AreCountedOnATerminalAndCtrlCLeavesWholeFiles) {
  Process process = Process::StartOnTerminal(command_);
  ASSERT_TRUE(process.WaitForText("keybroker: 1 of 24 keys backed up")) << process.output();
  process.Type("\x03");
  EXPECT_EQ(process.Wait(), 1) << process.output();
  const size_t files = Files();
  EXPECT_GE(files, 1U);
  EXPECT_LT(files, kKeys);
  EXPECT_THAT(
      process.output(),
      AllOf(HasSubstr("interrupted: " + std::to_string(files) + " of 24 keys are backed up"),
            HasSubstr("of the other " + std::to_string(kKeys - files) + " nothing")));
  ExpectWhole(files);
}

TEST_F(ManyKeys, AreNotCountedInAPipeAndSigtermLeavesWholeFiles) {
  command_.insert(command_.begin() + 1, "--json");
  Process process = Process::Start(command_);
  while (Files() == 0) {
    ASSERT_FALSE(process.Wait(std::chrono::milliseconds(10)).has_value()) << process.output();
  }
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 1) << process.output();
  EXPECT_THAT(process.output(),
              AllOf(HasSubstr("\"interrupted\": true"), Not(HasSubstr("keys backed up"))));
  EXPECT_LT(Files(), kKeys);
  ExpectWhole(Files());
  // Once more, and to its end: nothing of before is in the way.
  const size_t before = Files();
  // A thousand keys fit under the usual limit of descriptors: none are held for what is on record.
  command_.insert(command_.begin(), {"prlimit", "--nofile=" + std::to_string(2 * kKeys)});
  const auto again = keybroker::test::RunCommand(command_);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, Not(HasSubstr("keys backed up")));
  EXPECT_EQ(Files(), before + kKeys);
}

TEST_F(ManyKeys, AreDrilledUntilCtrlCWhichSaysHowFarItCame) {
  ASSERT_EQ(keybroker::test::RunCommand(command_).status, 0);
  Process process =
      Process::StartOnTerminal({command_[0], "--config", File("etc/keybroker.toml"), "drill",
                                File("safe"), "--password-file", File("password")});
  ASSERT_TRUE(process.WaitForText("keybroker: 0 of 24 backups opened")) << process.output();
  process.Type("\x03");
  EXPECT_EQ(process.Wait(), 1) << process.output();
  EXPECT_THAT(process.output(), AllOf(HasSubstr("interrupted: 0 of 24 backups were drilled"),
                                      HasSubstr("24 were not. No file and no key was changed"),
                                      HasSubstr("not drilled"), Not(HasSubstr("FAILED"))));
  const Json check = Json::parse(Run({"--json", "backup", "check"}).out);
  ASSERT_GE(check["backups"].size(), 24U);
  for (const Json& each : check["backups"]) {
    EXPECT_EQ(each["state"], "drill-due") << each;
  }
  SafeHost::ExpectNoDrillFolderStays();
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

}  // namespace
}  // namespace keybroker::cli::test
