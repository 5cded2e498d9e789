// Real full file systems under configuration, token, PIN guard and audit log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "keybroker/base/process.h"
#include "support/small_disk.h"
#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::SmallDisk;
using ::testing::AllOf;
using ::testing::HasSubstr;

class FullDisk : public Host {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to mount a small file system";
  }

  // Entries counts a folder's files, hidden ones too: nothing half-written may stay.
  long Entries(const std::string& folder) const {
    const std::filesystem::directory_iterator files(File(folder));
    return std::distance(begin(files), end(files));
  }
};

TEST_F(FullDisk, UnderTheConfigurationChangesNoListener) {
  const SmallDisk disk(File("etc"));
  Host::Make();
  Text({"listener", "add", "smtp", "--user", "root"});
  const std::string before = Read("etc/listeners.d/smtp.toml");
  const long entries = Entries("etc/listeners.d");
  disk.Fill();
  for (const keybroker::test::Arguments& command :
       {keybroker::test::Arguments{"listener", "bind", "smtp", kName},
        {"listener", "add", "imap", "--user", "root"}}) {
    EXPECT_THAT(Fails(command), AllOf(HasSubstr("No space left on device"), HasSubstr("make room"),
                                      HasSubstr("what was there before is as it was")));
  }
  EXPECT_EQ(Read("etc/listeners.d/smtp.toml"), before);
  EXPECT_EQ(Entries("etc/listeners.d"), entries);
  disk.MakeRoom();
  Text({"listener", "bind", "smtp", kName});
}

TEST_F(FullDisk, UnderTheConfigurationLeavesAGeneratedKeyUsable) {
  const SmallDisk disk(File("etc"));
  Host::Make();
  InitToken();
  disk.Fill();
  const std::string error = Fails({"key", "generate", kName});
  EXPECT_THAT(error, AllOf(HasSubstr("was made and is on the token"), HasSubstr("make room"),
                           HasSubstr("keybroker key current " + std::string(kName) + " --id ")));
  disk.MakeRoom();
  const std::string id = Id(kName, "ec");
  ASSERT_FALSE(id.empty());
  EXPECT_THAT(error, HasSubstr(id));
  Text({"key", "current", kName, "--id", id});
  EXPECT_THAT(Read("etc/current.toml"), HasSubstr(id));
}

TEST_F(FullDisk, UnderThePinFileChangesNoPin) {
  Host::Make();
  InitToken();
  const auto user = FindUser("keybroker-token");
  ASSERT_TRUE(user);
  std::filesystem::create_directory(File("token/private"));
  const SmallDisk disk(File("token/private"), "uid=" + std::to_string(user->uid));
  Write("token/private/pin", std::string(kPin) + "\n", 0600);
  GiveToTokenUser("token/private/pin");
  std::string text = Read("etc/tokens.d/main.toml");
  text.replace(text.find(File("token/pin")), File("token/pin").native().size(),
               File("token/private/pin"));
  Write("etc/tokens.d/main.toml", text);
  Write("new-pin", "161803\n", 0600);
  disk.Fill();
  EXPECT_THAT(Fails({"token", "change-pin", "--new-pin-file", File("new-pin")}),
              AllOf(HasSubstr("the PIN was not changed, because its file cannot be"),
                    HasSubstr("No space left on device")));
  EXPECT_EQ(Read("token/private/pin"), std::string(kPin) + "\n");
  Text({"key", "list"});  // the token takes what the file says
  disk.MakeRoom();
  Text({"token", "change-pin", "--new-pin-file", File("new-pin")});
  Text({"key", "list"});
}

TEST_F(FullDisk, UnderThePinGuardTriesNoPin) {
  Host::Make();
  InitToken();
  const auto user = FindUser("keybroker-token");
  ASSERT_TRUE(user);
  const SmallDisk disk(File("state/token"), "uid=" + std::to_string(user->uid));
  Text({"key", "list"});  // makes the guard's folder there
  Write("wrong-pin", "000000\n", 0600);
  disk.Fill();
  EXPECT_THAT(Fails({"key", "list", "--pin-file", File("wrong-pin")}),
              AllOf(HasSubstr("no login was tried"), HasSubstr("No space left on device")));
  disk.MakeRoom();
  Text({"key", "list"});  // a wrong PIN that was tried would be in the way
}

TEST_F(FullDisk, UnderTheTokenMakesNoKeyAndKeepsTheOthers) {
  const SmallDisk disk(File("disk"));
  std::filesystem::create_directory(File("token"));
  std::filesystem::create_directory(File("disk/tokens"));
  std::filesystem::create_directory_symlink(File("disk/tokens"), File("token/tokens"));
  Host::Make();
  GiveToTokenUser("disk/tokens");
  InitToken();
  Text({"key", "generate", kName});
  const std::string id = Id(kName, "ec");
  disk.Fill();
  EXPECT_THAT(Fails({"key", "generate", "other.test"}),
              AllOf(HasSubstr("C_GenerateKeyPair: CKR_"), HasSubstr("is the disk full")));
  EXPECT_EQ(Id(kName, "ec"), id);
  EXPECT_THAT(Text({"request", "create", kName}), HasSubstr("BEGIN CERTIFICATE REQUEST"));
  disk.MakeRoom();
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
  Text({"key", "generate", "other.test"});
}

TEST_F(FullDisk, UnderTheAuditLogIsToldWithWhatWasDone) {
  Host::Make();
  Text({"listener", "add", "smtp", "--user", "root"});
  const SmallDisk disk(File("state/operator"));
  Text({"listener", "bind", "smtp", kName});
  disk.Fill();
  std::string error;
  // The log's last block may still have room for some records.
  for (int i = 0; i < 100 && error.empty(); ++i) {
    const auto result = Run({"listener", "bind", "smtp", "k" + std::to_string(i) + ".test"});
    if (result.status != 0) error = result.err;
  }
  EXPECT_THAT(error, AllOf(HasSubstr("was done, but its audit record could not be written"),
                           HasSubstr("No space left on device")));
  disk.MakeRoom();
  Text({"listener", "unbind", "smtp", kName});
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

}  // namespace
}  // namespace keybroker::cli::test
