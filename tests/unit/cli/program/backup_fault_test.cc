// Backup commands that are killed, or have no room, at each of their steps: the old state survives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "keybroker/base/process.h"
#include "support/small_disk.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using keybroker::test::SmallDisk;
using ::testing::HasSubstr;

// KilledCommand has its token behind the faulty module, which stops where its plan says.
class KilledCommand : public BackupHost {
 protected:
  void SetUp() override {
    BackupHost::SetUp();
    std::string text = Read(kToken);
    text.replace(text.find(KB_SOFTHSM), sizeof KB_SOFTHSM - 1,
                 KB_BUILD_DIR "/lib/faulty_module.so");
    Write(kToken, text + "\"KB_FAULTY_PLAN\" = \"" + File("token/plan").string() + "\"\n");
    Plan("");
  }

  void Plan(const std::string& plan) const {
    Write("token/plan", plan, 0600);
    GiveToTokenUser("token/plan");
  }

  // KillAt runs a command, has it stop in the call of function after so many, and kills it there.
  // False: it ended before, so there is no such call.
  bool KillAt(const Arguments& command, const std::string& function, unsigned after) const {
    Plan(function + " " + std::to_string(after) + " 1 hang\n");
    Arguments all = {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml")};
    all.insert(all.end(), command.begin(), command.end());
    Process process = Process::Start(all);
    // The plan is used up when the call has begun.
    while (!Read("token/plan").empty()) {
      if (const auto status = process.Wait(std::chrono::seconds(0))) {
        EXPECT_EQ(*status, 0) << process.output();
        Plan("");
        return false;
      }
    }
    process.Signal(SIGKILL);
    EXPECT_EQ(process.Wait(), 128 + SIGKILL);
    return true;
  }

  void ExpectSoundRecords() const {
    Plan("");
    EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
    Text({"key", "list"});
    EXPECT_THAT(Run({"doctor"}).out, ::testing::Not(HasSubstr("does not parse")));
  }

  static constexpr char kToken[] = "etc/tokens.d/main.toml";
};

TEST_F(KilledCommand, RestoreAtEveryStepCanBeRunAgain) {
  const std::string file = Export("ec");
  const std::string id = Id(kName, "ec");
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  for (const std::string function :
       {"C_CreateObject", "C_UnwrapKey", "C_DestroyObject", "C_Sign"}) {
    for (unsigned after = 0; KillAt(With({"backup", "restore", file}), function, after); ++after) {
      ExpectSoundRecords();
      Text({"token", "tidy"});
      EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
    }
    // The last one ran to its end, over whatever the others left.
    EXPECT_EQ(Answer(With({"backup", "restore", file}))["present"], true);
    EXPECT_EQ(Id(kName, "ec"), id);
    Text({"key", "delete", kName, "--type", "ec", "--yes"});
  }
}

TEST_F(KilledCommand, ExportAtEveryStepLeavesNoFileAndNoRecord) {
  const auto command = With({"backup", "export", kName, "--type", "ec", "-o", File("safe")});
  for (const std::string function : {"C_WrapKey", "C_UnwrapKey", "C_DestroyObject"}) {
    for (unsigned after = 0; KillAt(command, function, after); ++after) {
      EXPECT_TRUE(std::filesystem::is_empty(File("safe"))) << function << after;
      EXPECT_FALSE(std::filesystem::exists(File("state/operator/backups")));
      ExpectSoundRecords();
    }
    Text(With(
        {"backup", "verify",
         File("safe") / std::filesystem::directory_iterator(File("safe"))->path().filename()}));
    std::filesystem::remove_all(File("safe"));
    std::filesystem::create_directory(File("safe"));
    std::filesystem::remove_all(File("state/operator/backups"));
  }
}

TEST_F(KilledCommand, SealAtEveryStepLeavesTheKeyAndItsBackup) {
  const std::string file = Export("rsa");
  const Arguments command = {"key", "seal", kName, "--type", "rsa", "--yes"};
  for (const std::string function : {"C_SetAttributeValue", "C_WrapKey"}) {
    for (unsigned after = 0; KillAt(command, function, after); ++after) {
      ExpectSoundRecords();
      // Sealed or not, it signs, and what says so is the token.
      Text({"request", "create", kName, "--type", "rsa", "-o", File("again.csr")});
      Text(With({"backup", "verify", file}));
      if (!Answer({"key", "show", kName, "--type", "rsa"})["keys"][0]["exportable"]) break;
    }
  }
}

class BackupOnAFullDisk : public BackupHost {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to mount a small file system";
    BackupHost::SetUp();
  }
};

TEST_F(BackupOnAFullDisk, ExportLeavesNoFileAndNoRecord) {
  const SmallDisk disk(File("safe"));
  disk.Fill();
  const auto command = With({"backup", "export", kName, "--type", "ec", "-o", File("safe")});
  EXPECT_THAT(Run(command).err, HasSubstr("No space left on device"));
  const std::filesystem::directory_iterator files(File("safe"));
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);  // what fills it
  EXPECT_THAT(Fails({"key", "seal", kName, "--type", "ec", "--yes"}),
              HasSubstr("no verified backup"));
  disk.MakeRoom();
  Text(command);
}

TEST_F(BackupOnAFullDisk, SealWithoutRoomForItsRecordSaysWhatBecameOfTheKey) {
  Export("ec");
  const std::filesystem::path operator_state = File("state/operator");
  std::filesystem::rename(operator_state, File("state/kept"));
  const SmallDisk disk(operator_state);
  std::filesystem::copy(File("state/kept"), operator_state,
                        std::filesystem::copy_options::recursive);
  disk.Fill();
  const auto sealed = Run({"key", "seal", kName, "--type", "ec", "--yes"});
  const bool exportable = Answer({"key", "show", kName, "--type", "ec"})["keys"][0]["exportable"];
  if (sealed.status != 0) {
    EXPECT_EQ(exportable, sealed.err.find("was done, but") == std::string::npos) << sealed.err;
  } else {
    EXPECT_FALSE(exportable);
  }
  disk.MakeRoom();
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

}  // namespace
}  // namespace keybroker::cli::test
