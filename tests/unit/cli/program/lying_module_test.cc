// A vendor's module that took the token's process over, and answers for it what it likes: that ends
// one command, writes nowhere, and proves nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using ::testing::HasSubstr;
using ::testing::Not;

class LyingModule : public BackupHost {
 protected:
  void SetUp() override {
    BackupHost::SetUp();
    file_ = Export("ec");
    Text({"backup", "record", "--external", kName, "--type", "ec", "--note", "clone"});
    std::string toml = Read("etc/tokens.d/main.toml");
    toml.replace(toml.find(KB_SOFTHSM), sizeof KB_SOFTHSM - 1,
                 KB_BUILD_DIR "/lib/faulty_module.so");
    const size_t at = toml.find("SOFTHSM2_CONF");
    toml.insert(toml.rfind('\n', at) + 1, "KB_FAULTY_PLAN = \"" + File("token/plan").string() +
                                              "\"\nKB_FAULTY_LIE = \"" +
                                              File("token/lie").string() + "\"\n");
    Write("etc/tokens.d/main.toml", toml);
  }

  // Lie has the next command get this as its token's answer.
  keybroker::test::CommandResult Lie(const std::string& answer, const Arguments& command) const {
    Write("token/lie", "{\"result\":" + answer + "}", 0644);
    const std::string plan = "C_Initialize 0 9 lie\n";
    Write("token/plan", plan, 0666);
    auto result = Run(command);
    EXPECT_NE(Read("token/plan"), plan) << "its token was not asked";
    Write("token/plan", "", 0666);
    return result;
  }

  std::string file_;
};

TEST_F(LyingModule, EndsAnyCommandWithAnErrorAndNoMore) {
  const std::string current = Read("etc/current.toml");
  ASSERT_THAT(current, HasSubstr(kName));
  for (const Arguments& command :
       {Arguments{"key", "list"}, Arguments{"key", "show", kName},
        Arguments{"key", "generate", "new.test"}, Arguments{"token", "probe"},
        With({"key", "generate", "new.test", "--backup-at-birth", File("birth.p12")}),
        With({"backup", "restore", file_}), With({"backup", "export", kName, "-o", File("safe")}),
        Arguments{"backup", "record", "--external", kName, "--type", "ec", "--note", "x"},
        Arguments{"certificate", "install", kName, File("k.crt"), "--ca", File("ca.pem")},
        Arguments{"key", "seal", kName, "--type", "ec", "--yes"},
        Arguments{"key", "delete", kName, "--type", "ec", "--yes"}}) {
    for (const std::string answer :
         {"{}", "[]", "[{}]", R"({"key":{},"keys":[{}]})",
          R"({"key":{"name":"../../x","type":"ec","id":"../../x"},"keys":[]})"}) {
      const auto result = Lie(answer, command);
      EXPECT_LT(result.status, 128) << answer << ::testing::PrintToString(command) << result.err;
    }
  }
  EXPECT_EQ(Read("etc/current.toml"), current);
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 2U);
}

TEST_F(LyingModule, WritesNoFileOutsideOurFolders) {
  Write("pwn.json", "mine\n");
  const std::string answer =
      R"({"name":"p.example.org","type":"ec","bits":256,"id":"../../../pwn","exportable":true})";
  EXPECT_EQ(Lie(answer, {"key", "generate", "p.example.org", "--exportable"}).status, 1);
  EXPECT_EQ(Read("pwn.json"), "mine\n");
  const std::string chain =
      R"({"name":"../../pwned","type":"ec","id":"aa","chain":"any content\n"})";
  EXPECT_NE(
      Lie(chain, {"certificate", "install", kName, File("k.crt"), "--ca", File("ca.pem")}).status,
      0);
  EXPECT_FALSE(std::filesystem::exists(File("pwned.ec.aa.pem")));
}

TEST_F(LyingModule, ProvesNoExternalBackup) {
  const auto result =
      Lie(R"({"code":"","failure":"","token":{"serial":"4711","model":"Acme HSM","label":"x"}})",
          {"drill", "--external", kName, "--type", "ec", "--token", "main"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out + result.err, HasSubstr("gave no signature"));
}

TEST_F(LyingModule, ProvesNoBackupFile) {
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  ASSERT_THAT(Read(record), Not(HasSubstr("\"proved\": 0")));  // by the export
  const Arguments drill = With({"drill", file_, "--token", "main"});
  // The second has the form of an ECDSA signature, and is of nothing.
  for (const char* signature : {"", "3006020101020101"}) {
    const Json results = {{"results", {{{"failure", ""}, {"ms", 1}, {"signature", signature}}}},
                          {"token", "Acme HSM"}};
    const auto result = Lie(results.dump(), drill);
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.out + result.err, HasSubstr("gave no signature of the key of the backup"));
  }
  // A file that a token could not make the key of opens no gate.
  EXPECT_THAT(Read(record), HasSubstr("\"proved\": 0"));
  EXPECT_THAT(Fails({"key", "seal", kName, "--type", "ec", "--yes"}),
              HasSubstr("no verified backup"));
  EXPECT_EQ(Answer(drill)["proved"], true);  // of a module that does not lie
}

TEST_F(LyingModule, RestoresNothingByItsWord) {
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  const std::string before = Read(record);
  Json outcome = {{"key", Answer({"key", "show", kName, "--type", "ec"})["keys"][0]},
                  {"completed", false},
                  {"removed", Json::array()},
                  {"differences", Json::array()},
                  {"others", Json::array()}};
  for (const bool present : {false, true}) {
    outcome["present"] = present;
    const auto result = Lie(outcome.dump(), With({"backup", "restore", file_}));
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.err, HasSubstr("gave no signature of the key mail.example.test"));
  }
  // An answer of another shape is an error on record too.
  const auto records = [&] {
    const std::string log = Read("state/operator/audit.log");
    return std::count(log.begin(), log.end(), '\n');
  };
  outcome.erase("present");
  const auto lines = records();
  const auto result = Lie(outcome.dump(), With({"backup", "restore", file_}));
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("gave an answer that does not fit"));
  EXPECT_EQ(records(), lines + 1);
  EXPECT_EQ(Read(record), before);
  EXPECT_THAT(Read("state/operator/audit.log"), HasSubstr("\"backup-restore\""));
}

}  // namespace
}  // namespace keybroker::cli::test
