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
  EXPECT_EQ(again["noted_now"], true);
  EXPECT_EQ(again["key"]["current"], true);
  EXPECT_THAT(Read("etc/current.toml"), HasSubstr(id));
  Text({"reference", "write", kName, "--type", "ec", "-o", File("ec.pem")});
  EXPECT_THAT(Read("ec.pem"), HasSubstr("BEGIN CERTIFICATE"));
  const auto third = Run(With({"backup", "restore", file}));
  EXPECT_THAT(third.out, HasSubstr("nothing on it was changed"));
  EXPECT_THAT(third.out, Not(HasSubstr("had not written down")));
}

TEST_F(CutOff, RestoreLeavesACertificateToWriteForTheNextOne) {
  const std::string file = Export("ec");
  const std::string id = Answer({"key", "show", kName, "--type", "ec"})["keys"][0]["id"];
  const auto removed =
      keybroker::test::RunCommand({"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin", kPin,
                                   "--delete-object", "--type", "cert", "--id", id},
                                  {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
  ASSERT_EQ(removed.status, 0) << removed.err;
  const Json made = Answer(With({"backup", "restore", file}));
  EXPECT_EQ(made["present"], true);
  EXPECT_EQ(made["completed"], true);
  EXPECT_EQ(made["differences"], Json::array());
  EXPECT_EQ(Answer(With({"backup", "restore", file}))["completed"], false);
}

TEST_F(CutOff, ExportGoesOnBesideAFileThatIsNotOnRecord) {
  const std::string file = Export("ec");
  std::filesystem::remove_all(File("state/operator/backups"));
  const std::string next = Export("ec");
  EXPECT_THAT(file, EndsWith(".1.p12"));
  EXPECT_THAT(next, EndsWith(".2.p12"));
  EXPECT_TRUE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace keybroker::cli::test
