// Backup commands that are killed, lose their token, or have no room, at each of their steps: the
// old state survives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "keybroker/base/process.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "support/sanitized.h"
#include "support/small_disk.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using keybroker::test::SmallDisk;
using ::testing::AllOf;
using ::testing::HasSubstr;

// FaultyBackupHost has its token behind the faulty module, which does what its plan says.
class FaultyBackupHost : public BackupHost {
 protected:
  void Make() override {
    BackupHost::Make();
    std::string text = Read(kToken);
    text.replace(text.find(KB_SOFTHSM), sizeof KB_SOFTHSM - 1,
                 KB_BUILD_DIR "/lib/faulty_module.so");
    Write(kToken, text + "\"KB_FAULTY_PLAN\" = \"" + File("token/plan").string() +
                      "\"\n\"KB_FAULTY_LOG\" = \"" + File("token/log").string() + "\"\n");
    Plan("");
  }

  void Plan(const std::string& plan) const {
    Write("token/plan", plan, 0600);
    GiveToTokenUser("token/plan");
  }

  // Steps are the calls of function that a command makes: the first, and the last few, which are
  // those about the key itself; between them the token's mechanisms are probed with objects of the
  // session. The command is run to its end to count them.
  std::vector<unsigned> Steps(const Arguments& command, const std::string& function) const {
    Write("token/log", "", 0600);
    GiveToTokenUser("token/log");
    Text(command);
    std::istringstream log(Read("token/log"));
    unsigned count = 0;
    for (std::string line; std::getline(log, line);) count += line == function ? 1 : 0;
    EXPECT_GT(count, 0U) << function;
    std::vector<unsigned> steps = {0};
    for (unsigned i = count > 4 ? count - 3 : 1; i < count; ++i) steps.push_back(i);
    return steps;
  }

  void ExpectSoundRecords() const {
    Plan("");
    EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
  }

  // Files is how many there are in the folder for backups.
  size_t Files() const {
    const std::filesystem::directory_iterator all(File("safe"));
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

  static constexpr char kToken[] = "etc/tokens.d/main.toml";
};

class KilledCommand : public FaultyBackupHost {
 protected:
  void SetUp() override {
    if (KB_SANITIZED) GTEST_SKIP() << "*** a process that is killed is not examined; release does";
    FaultyBackupHost::SetUp();
  }

  // StartUpTo starts a command, and has it stop in the call of function after so many.
  Process StartUpTo(const Arguments& command, const std::string& function, unsigned after) const {
    Plan(function + " " + std::to_string(after) + " 1 hang\n");
    Arguments all = {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml")};
    all.insert(all.end(), command.begin(), command.end());
    Process process = Process::Start(all);
    // The plan is used up when the call has begun.
    while (!Read("token/plan").empty()) {
      if (const auto status = process.Wait(std::chrono::milliseconds(10))) {
        ADD_FAILURE() << function << after << " was not called: " << *status << process.output();
        break;
      }
    }
    return process;
  }

  // KillAt kills it there.
  void KillAt(const Arguments& command, const std::string& function, unsigned after) const {
    Process process = StartUpTo(command, function, after);
    process.Signal(SIGKILL);
    EXPECT_EQ(process.Wait(), 128 + SIGKILL);
  }
};

TEST_F(KilledCommand, RestoreAtEveryStepCanBeRunAgain) {
  const std::string file = Export("ec");
  const std::string id = Id(kName, "ec");
  const Arguments forget = {"key", "delete", kName, "--type", "ec", "--yes"};
  const auto command = With({"backup", "restore", file});
  for (const std::string function : {"C_CreateObject", "C_UnwrapKey", "C_Sign"}) {
    Text(forget);
    for (const unsigned after : Steps(command, function)) {
      // From nothing each time: over what another left, a restore has fewer steps.
      Text(forget);
      KillAt(command, function, after);
      ExpectSoundRecords();
      Text(command);
      EXPECT_EQ(Id(kName, "ec"), id) << function << after;
      EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left")) << function << after;
      Text({"request", "create", kName, "--type", "ec", "-o", File("again.csr")});
    }
  }
}

// A token that hangs is given up when the command is asked again.
TEST_F(KilledCommand, InterruptedRestoreSaysSoIsOnRecordAndCanBeRunAgain) {
  const std::string file = Export("ec");
  const Arguments forget = {"key", "delete", kName, "--type", "ec", "--yes"};
  const auto command = With({"backup", "restore", file});
  Text(forget);
  const unsigned last = Steps(command, "C_UnwrapKey").back();
  Text(forget);
  Process process = StartUpTo(command, "C_UnwrapKey", last);
  std::optional<int> status;
  for (int asked = 0; !status && asked < 600; ++asked) {
    process.Signal(SIGINT);
    status = process.Wait(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(status, 1);
  EXPECT_THAT(process.output(),
              AllOf(HasSubstr("is finished first"), HasSubstr("whether it was done is not known")));
  ExpectSoundRecords();
  EXPECT_THAT(Text({"audit", "show", "--log", "operator"}),
              ::testing::ContainsRegex("backup-restore.*conflict"));
  Text(command);
}

TEST_F(KilledCommand, ExportAtEveryStepLeavesNoFileAndNoRecord) {
  const auto command = With({"backup", "export", kName, "--type", "ec", "-o", File("safe")});
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  for (const std::string function : {"C_WrapKey", "C_UnwrapKey", "C_DestroyObject"}) {
    const auto steps = Steps(command, function);
    const std::string recorded = Read(record);
    const size_t written = Files();
    for (const unsigned after : steps) {
      KillAt(command, function, after);
      EXPECT_EQ(Files(), written) << function << after;
      EXPECT_EQ(Read(record), recorded);
      ExpectSoundRecords();
    }
  }
  const std::string file = Export("ec");
  EXPECT_THAT(file, HasSubstr(".4.p12"));  // three were made to count the steps
  Text(With({"backup", "verify", file}));
}

TEST_F(KilledCommand, SealAtEveryStepLeavesTheKeyAndItsBackup) {
  const std::string file = Export("rsa");
  const Arguments command = {"key", "seal", kName, "--type", "rsa", "--yes"};
  KillAt(command, "C_SetAttributeValue", 0);
  ExpectSoundRecords();
  EXPECT_EQ(Answer({"key", "show", kName, "--type", "rsa"})["keys"][0]["exportable"], true);
  // After it the token has it sealed, which a killed command cannot take back.
  KillAt(command, "C_WrapKey", 0);
  ExpectSoundRecords();
  EXPECT_EQ(Answer({"key", "show", kName, "--type", "rsa"})["keys"][0]["exportable"], false);
  Text({"request", "create", kName, "--type", "rsa", "-o", File("again.csr")});
  Text(With({"drill", file, "--level", "1"}));
}

// TokenGone has the token pulled out in the middle of a command.
class TokenGone : public FaultyBackupHost {
 protected:
  // LoseAt runs the command, and the token is gone at the call of function after so many; what it
  // says.
  std::string LoseAt(const Arguments& command, const std::string& function, unsigned after) const {
    Plan(function + " " + std::to_string(after) + " 1 gone\n");
    const auto result = Run(command);
    EXPECT_EQ(result.status, 1) << function << after << result.out;
    EXPECT_THAT(result.err, HasSubstr("CKR_DEVICE_REMOVED")) << function << after;
    ExpectSoundRecords();
    return result.err;
  }
};

TEST_F(TokenGone, InTheMiddleOfAnExportLeavesNoFileAndNoRecord) {
  const auto command = With({"backup", "export", kName, "--type", "ec", "-o", File("safe")});
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  const auto steps = Steps(command, "C_WrapKey");
  const std::string recorded = Read(record);
  const size_t written = Files();
  // The first is the probe's, and where that loses the token there is no wrap to be found.
  LoseAt(command, "C_WrapKey", steps.back());
  EXPECT_EQ(Files(), written);
  EXPECT_EQ(Read(record), recorded);
  Text(command);
}

TEST_F(TokenGone, InTheMiddleOfARestoreIsMendedByTheNext) {
  const std::string file = Export("ec");
  const std::string id = Id(kName, "ec");
  const Arguments forget = {"key", "delete", kName, "--type", "ec", "--yes"};
  const auto command = With({"backup", "restore", file});
  for (const std::string function : {"C_CreateObject", "C_UnwrapKey", "C_Sign"}) {
    Text(forget);
    const auto steps = Steps(command, function);
    Text(forget);
    LoseAt(command, function, steps.back());
    Text(command);
    EXPECT_EQ(Id(kName, "ec"), id);
    EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
  }
}

TEST_F(TokenGone, BeforeANewKeySignedIsToldWithTheKeyThatStays) {
  const Arguments command = {"key", "generate", "new.test", "--type", "ec"};
  EXPECT_THAT(LoseAt(command, "C_Sign", 0), HasSubstr("key list shows it, key delete"));
  EXPECT_THAT(Text({"key", "list"}), HasSubstr("new.test"));
  Text({"key", "delete", "new.test", "--yes", "--force"});
  Text(command);
}

// UntrueToken says CKR_OK and does otherwise.
class UntrueToken : public FaultyBackupHost {
 protected:
  void SetUp() override {
    FaultyBackupHost::SetUp();
    file_ = Export("ec");
    restore_ = With({"backup", "restore", file_});
    Text({"key", "delete", kName, "--type", "ec", "--yes"});
  }

  std::string Unwraps(const std::string& action) const {
    const auto steps = Steps(restore_, "C_UnwrapKey").size();
    EXPECT_GE(steps, 2U);
    Text({"key", "delete", kName, "--type", "ec", "--yes"});
    return "C_UnwrapKey 0 99 " + action + "\n";
  }

  std::string file_;
  Arguments restore_;
};

TEST_F(UntrueToken, ThatMakesAKeyLooserThanAskedHasItMended) {
  Plan(Unwraps("loose"));
  const Json made = Answer(restore_);
  EXPECT_EQ(made["key"]["exportable"], false);
  // The RSA key, which was not restored, is extractable.
  const auto shown =
      keybroker::test::RunCommand({"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin", kPin,
                                   "--list-objects", "--type", "privkey"},
                                  {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
  const std::string ec = shown.out.substr(std::min(shown.out.find("Object; EC"), shown.out.size()));
  EXPECT_THAT(ec, AllOf(HasSubstr("Usage:      sign\n"), HasSubstr("Access:     sensitive\n")))
      << shown.out << shown.err;
}

TEST_F(UntrueToken, ThatDoesNotLetItBeMendedGetsNoKey) {
  Plan(Unwraps("loose") + "C_SetAttributeValue 0 99 " + std::to_string(CKR_ATTRIBUTE_READ_ONLY) +
       "\n");
  const auto result = Run(restore_);
  EXPECT_EQ(result.status, 1) << result.out;
  EXPECT_THAT(result.err, HasSubstr("EXTRACTABLE"));
  ExpectSoundRecords();
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
  EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
}

TEST_F(UntrueToken, ThatKeepsWhatItWasToDestroyIsToldOf) {
  const auto drill = With({"drill", file_, "--token", "main"});
  Plan("C_DestroyObject 0 99 keep\n");
  const auto drilled = Run(drill);
  EXPECT_EQ(drilled.status, 1) << drilled.err;
  EXPECT_THAT(drilled.out, HasSubstr("still shows the key that it was told to destroy"));
  ExpectSoundRecords();
  EXPECT_EQ(Answer(drill)["results"][0]["good"], true);
}

class ExportsAtOnce : public BackupHost {};

TEST_F(ExportsAtOnce, OfOneKeyAreTwoBackupsOnRecord) {
  std::vector<Process> exports;
  for (int i = 0; i < 2; ++i) {
    Arguments all = {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml")};
    const auto command = With({"backup", "export", kName, "--type", "ec", "-o", File("safe")});
    all.insert(all.end(), command.begin(), command.end());
    exports.push_back(Process::Start(all));
  }
  for (Process& each : exports) EXPECT_EQ(each.Wait(), 0) << each.output();
  for (const auto& file : std::filesystem::directory_iterator(File("safe"))) {
    Text(With({"drill", file.path(), "--level", "1"}));
  }
  const std::string stem = "safe/mail.example.test.ec." + Id(kName, "ec").substr(0, 8);
  EXPECT_TRUE(std::filesystem::exists(File(stem + ".1.p12")));
  EXPECT_TRUE(std::filesystem::exists(File(stem + ".2.p12")));
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
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

// FullToken has its token on a small disk.
class FullToken : public BackupHost {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to mount a small file system";
    disk_.emplace(File("disk"));
    std::filesystem::create_directory(File("token"));
    std::filesystem::create_directory(File("disk/tokens"));
    std::filesystem::create_directory_symlink(File("disk/tokens"), File("token/tokens"));
    GiveToTokenUser("disk/tokens");
    BackupHost::Make();
  }

  std::optional<SmallDisk> disk_;
};

TEST_F(FullToken, TakesNoRestoreAndIsAsItWas) {
  const std::string file = Export("ec");
  const std::string id = Id(kName, "ec");
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  disk_->Fill();
  EXPECT_THAT(Run(With({"backup", "restore", file})).err, HasSubstr("CKR_"));
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
  EXPECT_THAT(Text({"request", "create", kName, "--type", "rsa"}), HasSubstr("BEGIN CERTIFICATE"));
  disk_->MakeRoom();
  Text(With({"backup", "restore", file}));
  EXPECT_EQ(Id(kName, "ec"), id);
  EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
}

}  // namespace
}  // namespace keybroker::cli::test
