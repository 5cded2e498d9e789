// When a key may be sealed, and what proves that it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SealCommand : public BackupHost {};

TEST_F(SealCommand, WantsAVerifiedBackupAndProvesTheSeal) {
  EXPECT_THAT(
      Fails({"key", "seal", kName, "--type", "rsa", "--yes"}),
      AllOf(HasSubstr("no verified backup"), HasSubstr("backup export"), HasSubstr("--force")));
  const std::string file = Export("rsa");
  EXPECT_THAT(Fails({"key", "seal", kName, "--type", "rsa"}), HasSubstr("--yes"));
  const Json sealed = Answer({"key", "seal", kName, "--type", "rsa", "--yes"});
  EXPECT_EQ(sealed["enforced"], true);
  EXPECT_THAT(sealed["evidence"].get<std::string>(), HasSubstr("CKR_KEY_UNEXTRACTABLE"));
  EXPECT_THAT(Fails(With({"backup", "export", kName, "--type", "rsa", "-o", File("safe")})),
              HasSubstr("sealed"));
  EXPECT_EQ(Answer({"key", "seal", kName, "--type", "ec", "--yes", "--force"})["enforced"], true);
}

// Whoever knows a password can make a file that verifies: only a token's proof counts.
TEST_F(SealCommand, WantsABackupThatATokenMadeTheKeyOf) {
  const std::string file = Export("rsa");
  std::filesystem::remove_all(File("state/operator/backups"));
  Text(With({"backup", "verify", file}));
  EXPECT_THAT(Fails({"key", "seal", kName, "--type", "rsa", "--yes"}),
              HasSubstr("no verified backup on record that a token made the key of"));
  Text(With({"drill", file}));
  Text({"key", "seal", kName, "--type", "rsa", "--yes"});
  EXPECT_THAT(Text({"key", "seal", kName, "--type", "rsa", "--yes"}),
              HasSubstr("nothing was changed"));
}

TEST_F(SealCommand, WantsTheBackupToBeWhereItWas) {
  const std::string file = Export("rsa");
  std::filesystem::rename(file, file + ".elsewhere");
  EXPECT_THAT(Fails({"key", "delete", kName, "--type", "rsa", "--yes"}),
              HasSubstr("is not there any more"));
  Write(std::filesystem::relative(file, File("")).string(), "something else");
  EXPECT_THAT(Fails({"key", "delete", kName, "--type", "rsa", "--yes"}),
              HasSubstr("is not what it was"));
}

}  // namespace
}  // namespace keybroker::cli::test
