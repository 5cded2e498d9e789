// What is found after a command was cut off between the token and the host's own files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class CutOff : public BackupHost {};

TEST_F(CutOff, RestoreIsMadeWholeByTheNextOne) {
  const std::string file = Export("ec");
  const std::string current = Read("etc/current.toml");
  const std::string id = Id(kName, "ec");
  // Killed before the first file of the host was written.
  std::filesystem::remove(File("etc/current.toml"));
  std::filesystem::remove_all(File("etc/chains"));
  const Json again = Answer(With({"backup", "restore", file}));
  EXPECT_EQ(again["present"], true);
  EXPECT_EQ(again["noted"], false);
  EXPECT_EQ(again["key"]["current"], true);
  EXPECT_THAT(Read("etc/current.toml"), HasSubstr(id));
  Text({"reference", "write", kName, "--type", "ec", "-o", File("ec.pem")});
  EXPECT_THAT(Read("ec.pem"), HasSubstr("BEGIN CERTIFICATE"));
  const auto third = Run(With({"backup", "restore", file}));
  EXPECT_THAT(third.out, HasSubstr("nothing on it was changed"));
  EXPECT_THAT(third.out, Not(HasSubstr("had not written down")));
}

TEST_F(CutOff, ExportGoesOnBesideAFileThatIsNotOnRecord) {
  const std::string file = Export("ec");
  std::filesystem::remove_all(File("state/operator/backups"));
  const std::string next = Export("ec");
  EXPECT_THAT(file, EndsWith(".1.p12"));
  EXPECT_THAT(next, EndsWith(".2.p12"));
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(CutOff, ExportLeavesAnOldBackupThatStatusTellsOf) {
  Export("ec");
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  Json old = Json::parse(Read(record));
  old["verified"] = 1000000000;
  Write(record, old.dump(), 0600);
  EXPECT_THAT(Run({"status"}).err, HasSubstr("warning: backup of mail.example.test --type ec: last "
                                             "verified"));
}

}  // namespace
}  // namespace keybroker::cli::test
