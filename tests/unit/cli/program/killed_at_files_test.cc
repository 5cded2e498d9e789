// Commands that are killed at each step by which they change the host's files: before each of the
// system calls of which a crash could see the one and not the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <regex>

#include "support/sanitized.h"
#include "support/small_disk.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::CommandResult;
using keybroker::test::SmallDisk;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr char kCalls[] = "fsync,fdatasync,linkat,renameat,rename,unlinkat,unlink,mkdir,ftruncate";

class KilledAtFiles : public BackupHost {
 protected:
  void SetUp() override {
    if (KB_SANITIZED) GTEST_SKIP() << "*** a process that is killed is not examined; release does";
    if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to mount a small file system";
    BackupHost::SetUp();
    safe_.emplace(File("safe"));
  }

  // Trace runs command under strace(1) with further options; its children, which have the token,
  // are not looked at.
  CommandResult Trace(const Arguments& options, const Arguments& command) const {
    Arguments all = {"strace", "-qq", "-o", File("calls")};
    all.insert(all.end(), options.begin(), options.end());
    all.insert(all.end(), {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml")});
    all.insert(all.end(), command.begin(), command.end());
    return keybroker::test::RunCommand(all);
  }

  // Steps are the calls that command makes, in their order: each by its name and which of that name
  // it is, from 1. The command is run to its end.
  std::vector<std::pair<std::string, int>> Steps(const Arguments& command) const {
    const auto done = Trace({"-e", std::string("trace=") + kCalls}, command);
    EXPECT_EQ(done.status, 0) << done.err;
    std::vector<std::pair<std::string, int>> steps;
    std::map<std::string, int> count;
    const std::string calls = Read("calls");
    const std::regex call("^([a-z]+)\\(", std::regex::multiline);
    for (std::sregex_iterator at(calls.begin(), calls.end(), call), end; at != end; ++at) {
      const std::string name = (*at)[1];
      steps.emplace_back(name, ++count[name]);
    }
    EXPECT_GE(steps.size(), 2U) << calls;
    return steps;
  }

  // KillAtEach runs what prepare gives and kills it before each of the steps that command has;
  // after looks at what is there then.
  void KillAtEach(const Arguments& command, const std::function<Arguments()>& prepare,
                  const std::function<void()>& after) const {
    for (const auto& [call, number] : Steps(command)) {
      SCOPED_TRACE(call + " " + std::to_string(number));
      const Arguments next = prepare();
      const auto killed = Trace({"-e", "trace=" + call, "-e",
                                 "inject=" + call + ":signal=KILL:when=" + std::to_string(number)},
                                next);
      EXPECT_EQ(killed.status, 128 + SIGKILL) << killed.out << killed.err;
      EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
      after();
    }
  }

  std::optional<SmallDisk> safe_;
};

TEST_F(KilledAtFiles, ExportLeavesWholeBackupsOnly) {
  auto command = With({"backup", "export", kName, "--type", "ec", "-o", File("safe")});
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  KillAtEach(
      command, [&] { return command; },
      [&] {
        const std::string next = Export("ec");
        for (const auto& file : std::filesystem::directory_iterator(File("safe"))) {
          EXPECT_THAT(file.path(), EndsWith(".p12"));
          Text(With({"backup", "verify", file.path()}));
          if (file.path() != next) std::filesystem::remove(file.path());
        }
        EXPECT_THAT(Read(record), HasSubstr(next));
      });
}

TEST_F(KilledAtFiles, RestoreIsMadeWholeByTheNextOne) {
  const std::string file = Export("ec");
  const std::string id = Id(kName, "ec");
  auto command = With({"backup", "restore", file});
  const Arguments forget = {"key", "delete", kName, "--type", "ec", "--yes"};
  Text(forget);
  KillAtEach(
      command,
      [&] {
        Text(forget);
        return command;
      },
      [&] {
        Text(command);
        EXPECT_EQ(Id(kName, "ec"), id);
        EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
        Text({"request", "create", kName, "--type", "ec", "-o", File("again.csr")});
        Text({"reference", "write", kName, "--type", "ec", "-o", File("ec.pem")});
      });
}

TEST_F(KilledAtFiles, SealIsDoneOrNotDoneAndCanBeRunAgain) {
  int keys = 0;
  const auto seal = [&] {
    const std::string name = "seal" + std::to_string(++keys) + ".test";
    Text({"key", "generate", name, "--type", "ec", "--exportable"});
    return Arguments{"key", "seal", name, "--type", "ec", "--yes", "--force"};
  };
  KillAtEach(seal(), seal, [&] {
    const std::string name = "seal" + std::to_string(keys) + ".test";
    Text({"key", "seal", name, "--type", "ec", "--yes", "--force"});
    EXPECT_EQ(Answer({"key", "show", name, "--type", "ec"})["keys"][0]["exportable"], false);
  });
}

TEST_F(KilledAtFiles, GenerateThatIsAskedToEndIsOnRecordOrNotDone) {
  int keys = 0;
  std::string name;
  const auto generate = [&] {
    name = "asked" + std::to_string(++keys) + ".test";
    return Arguments{"key", "generate", name, "--type", "ec", "--exportable"};
  };
  int done = 0;
  for (const auto& [call, number] : Steps(generate())) {
    SCOPED_TRACE(call + " " + std::to_string(number));
    const Arguments next = generate();
    const auto ended = Trace({"-e", "trace=" + call, "-e",
                              "inject=" + call + ":signal=TERM:when=" + std::to_string(number)},
                             next);
    const bool there = Text({"key", "list"}).find(name) != std::string::npos;
    EXPECT_EQ(ended.status == 0, there) << ended.err;
    const std::string records = Text({"audit", "show", "--log", "operator"});
    EXPECT_EQ(records.find(name) != std::string::npos, there) << records;
    if (!there) continue;
    EXPECT_TRUE(
        std::filesystem::exists(File("state/operator/backups/" + Id(name, "ec") + ".json")));
    ++done;
  }
  EXPECT_GT(done, 3);
}

class BadDisk : public KilledAtFiles {};

TEST_F(BadDisk, BackupThatDoesNotReadBackIsRemovedAndNotOnRecord) {
  const std::string file = File("safe/k.p12");
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  const std::string before = Read(record);
  const Arguments command = With({"backup", "export", kName, "--type", "ec", "-o", file});
  const auto failed =
      Trace({"-P", file, "-e", "trace=read", "-e", "inject=read:error=EIO:when=1"}, command);
  EXPECT_EQ(failed.status, 1) << failed.out;
  EXPECT_THAT(failed.err, AllOf(HasSubstr("cannot read " + file), HasSubstr("removed again")));
  EXPECT_TRUE(std::filesystem::is_empty(File("safe")));
  EXPECT_EQ(Read(record), before);
  Text(command);
  Text(With({"backup", "verify", file}));
}

}  // namespace
}  // namespace keybroker::cli::test
