// `keybroker audit` on the chain that the commands themselves write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/audit/log.h"
#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kLog[] = "state/operator/audit.log";

class AuditCommand : public Host {
 protected:
  void Make() override {
    Host::Make();
    for (const char* name : {"smtp", "imap", "pop3"}) {
      Text({"listener", "add", name, "--user", "root"});
    }
  }

  std::vector<std::string> Lines() const {
    std::istringstream in(Read(kLog));
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line + "\n");
    return lines;
  }

  void WriteLines(const std::vector<std::string>& lines) const {
    std::string text;
    for (const auto& line : lines) text += line;
    Write(kLog, text, 0600);
  }

  // Verify gives what is wrong as verify prints it, and expects that it fails.
  std::string Broken() const {
    const auto result = Run({"audit", "verify", "--log", "operator"});
    EXPECT_EQ(result.status, 1) << result.out;
    EXPECT_THAT(result.out, HasSubstr("the chain is broken"));
    return result.out;
  }
};

TEST_F(AuditCommand, ShowsWhoDidWhat) {
  const Json shown = Answer({"audit", "show", "--log", "operator", "--last", "2"});
  ASSERT_EQ(shown["records"].size(), 2U);
  EXPECT_EQ(shown["records"][1]["action"], "listener-add");
  EXPECT_EQ(shown["records"][1]["result"], "ok");
  EXPECT_THAT(shown["records"][1]["detail"].get<std::string>(), HasSubstr("pop3"));
  EXPECT_THAT(Text({"audit", "show", "--log", "operator"}), HasSubstr("listener-add"));
}

TEST_F(AuditCommand, VerifiesWhateverLogsThereAre) {
  const Json alone = Answer({"audit", "verify"});
  EXPECT_EQ(alone["good"], true);
  ASSERT_EQ(alone["logs"].size(), 1U);
  EXPECT_EQ(alone["logs"][0]["log"], "operator");
  EXPECT_EQ(alone["missing"], Json::array({"broker"}));
  EXPECT_THAT(Text({"audit", "verify"}), HasSubstr("the broker's log: none at"));
  // A copy of a good one stands for the broker's; a head without its log is one that was taken
  // away.
  std::filesystem::create_directories(File("state/broker"));
  for (const char* each : {"audit.log", "audit.log.head"}) {
    std::filesystem::copy_file(File("state/operator") / each, File("state/broker") / each);
  }
  EXPECT_EQ(Answer({"audit", "verify"})["logs"].size(), 2U);
  std::filesystem::remove(File("state/broker/audit.log"));
  Fails({"audit", "verify"});
  std::filesystem::remove_all(File("state/broker"));
  std::filesystem::remove_all(File("state/operator"));
  EXPECT_THAT(Fails({"audit", "verify"}), HasSubstr("there is no audit log"));
}

TEST_F(AuditCommand, RecordsRefusalsOfTheTokenToo) {
  InitToken();
  Write("wrong-pin", "000000\n", 0600);
  Fails({"key", "generate", kName, "--pin-file", File("wrong-pin")});
  const Json shown = Answer({"audit", "show", "--log", "operator", "--last", "1"});
  EXPECT_EQ(shown["records"][0]["action"], "key-generate");
  EXPECT_EQ(shown["records"][0]["result"], "denied");
}

TEST_F(AuditCommand, VerifyFindsARecordChangedRemovedInsertedMovedOrCutOff) {
  const auto good = Lines();
  ASSERT_GE(good.size(), 3U);
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);

  auto lines = good;
  const size_t at = lines[1].find("\"detail\":\"") + 10;
  ASSERT_LT(at, lines[1].size());
  lines[1][at] = lines[1][at] == 'x' ? 'y' : 'x';
  WriteLines(lines);
  EXPECT_THAT(Broken(), HasSubstr("line 2: "));

  lines = good;
  lines.erase(lines.begin() + 1);
  WriteLines(lines);
  EXPECT_THAT(Broken(), HasSubstr("line 2: "));

  lines = good;
  lines.insert(lines.begin() + 1, lines[0]);
  WriteLines(lines);
  EXPECT_THAT(Broken(), HasSubstr("inserted"));

  lines = good;
  std::swap(lines[0], lines[1]);
  WriteLines(lines);
  EXPECT_THAT(Broken(), HasSubstr("line 1: "));

  lines = good;
  lines.pop_back();
  WriteLines(lines);
  Broken();

  WriteLines(good);
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

TEST_F(AuditCommand, VerifyFindsAWholeTailRemovedByAHeadKeptElsewhere) {
  const std::string head = Answer({"audit", "verify", "--log", "operator"})["head"];
  std::filesystem::remove_all(File("state/operator"));
  Text({"listener", "remove", "pop3", "--yes"});
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
  EXPECT_EQ(Run({"audit", "verify", "--log", "operator", "--head", head}).status, 1);
}

// What was rotated away is checked too, and that each file names the one before it as it is.
TEST_F(AuditCommand, VerifyChecksTheOlderFilesToo) {
  const std::string early = Answer({"audit", "verify", "--log", "operator"})["head"];
  {
    auto log = audit::Log::Open(File(kLog));
    ASSERT_TRUE(log) << log.error().detail;
    ASSERT_TRUE(log->Rotate());
  }
  Text({"listener", "remove", "pop3", "--yes"});
  const Json answer = Answer({"audit", "verify", "--log", "operator", "--head", early});
  EXPECT_EQ(answer["good"], true) << "a head of an older file is known";
  ASSERT_EQ(answer["older"].size(), 1U);
  EXPECT_EQ(answer["older"][0]["good"], true);
  EXPECT_EQ(answer["older"][0]["head"], early);

  // The end cut off an older file, its head file made to agree: the newer file knows better.
  const std::filesystem::path older = answer["older"][0]["file"].get<std::string>();
  const std::string text = Read(older);
  std::filesystem::remove(older.native() + ".head");
  Write(older, text.substr(0, text.rfind('\n', text.size() - 2) + 1), 0600);
  ASSERT_TRUE(audit::Log::Open(older));  // writes a head file, and a record that says so
  const auto cut = Run({"audit", "verify", "--log", "operator"});
  EXPECT_EQ(cut.status, 1);
  EXPECT_THAT(cut.out, HasSubstr("ended with another record than it does"));

  std::filesystem::remove(older);
  const auto archived = Run({"audit", "verify", "--log", "operator"});
  EXPECT_EQ(archived.status, 0);
  EXPECT_THAT(archived.err, HasSubstr(older.filename().string() + ", which is not here"));
}

TEST_F(AuditCommand, SaysWhatIsNoLogAndNoHead) {
  EXPECT_THAT(Fails({"audit", "show", "--log", "brokr"}),
              AllOf(HasSubstr("\"brokr\""), HasSubstr("broker, operator, or a file's path")));
  EXPECT_THAT(Fails({"audit", "verify", "--log", "operator", "--head", "12"}),
              AllOf(HasSubstr("\"12\" is no head"), HasSubstr("NUMBER:SHA-256")));
  EXPECT_THAT(Fails({"audit", "show"}), HasSubstr("state/broker/audit.log"));
}

}  // namespace
}  // namespace keybroker::cli::test
