// Backups of several generations of one key, in any order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class BackupGenerations : public BackupHost {
 protected:
  // Certify has the CA certify a generation, valid from then.
  void Certify(const std::string& id, const std::string& from) const {
    Text({"request", "create", kName, "--type", "ec", "--id", id, "-o", File(id + ".csr")});
    SignBetween(id + ".csr", from, "20400101000000Z", id + ".crt");
    Text({"certificate", "install", kName, File(id + ".crt"), "--type", "ec", "--ca",
          File("ca.pem")});
  }

  std::string ExportId(const std::string& id) const {
    const Json made =
        Answer(With({"backup", "export", kName, "--type", "ec", "--id", id, "-o", File("safe")}));
    EXPECT_EQ(made["backups"].size(), 1U);
    return made["backups"][0]["file"];
  }
};

TEST_F(BackupGenerations, AreToldApartByTheirCertificatesWhenTheyComeBack) {
  const std::string older = Id(kName, "ec");
  const auto made =
      Run({"key", "generate", kName, "--type", "ec", "--new-generation", "--exportable"});
  const size_t at = made.out.find(" --id ");
  ASSERT_NE(at, std::string::npos) << made.out;
  const std::string newer = made.out.substr(at + 6, older.size());
  EXPECT_THAT(made.out, HasSubstr("backup export mail.example.test --type ec --id " + newer));
  EXPECT_THAT(Run({"backup", "check"}).out, HasSubstr("--type ec --id " + newer + " -o FILE"));
  Certify(older, "20200101000000Z");
  Certify(newer, "20250101000000Z");
  const std::string old_file = ExportId(older);
  const std::string new_file = ExportId(newer);
  for (const std::string& id : {newer, older}) {
    Text({"key", "delete", kName, "--type", "ec", "--id", id, "--yes"});
  }
  std::filesystem::remove(File("etc/current.toml"));
  std::filesystem::remove_all(File("etc/chains"));
  Text(With({"backup", "restore", old_file}));
  const auto restored = Run(With({"backup", "restore", new_file}));
  const std::string change = "key current mail.example.test --type ec --id " + newer;
  EXPECT_THAT(restored.err,
              AllOf(HasSubstr("is of a NEWER key, by its certificate"), HasSubstr(change)));
  EXPECT_TRUE(IsInRecoveryTable(restored.err)) << restored.err;
  EXPECT_EQ(Id(kName, "ec"), older);
  Text({"key", "current", kName, "--type", "ec", "--id", newer});
  EXPECT_EQ(Id(kName, "ec"), newer);
}

// Whoever owns the directory cannot use the numbers up.
TEST_F(BackupGenerations, ADirectoryFullOfNumbersIsRefused) {
  const std::string id = Id(kName, "ec");
  const std::string stem = "safe/mail.example.test.ec." + id.substr(0, 8) + ".";
  for (int i = 1; i <= 100; ++i) Write(stem + std::to_string(i) + ".p12", "x");
  EXPECT_THAT(Fails(With({"backup", "export", kName, "--type", "ec", "-o", File("safe")})),
              AllOf(HasSubstr(".100.p12 exists"), HasSubstr("name another directory")));
  std::filesystem::create_directory(File("other"));
  const Json made = Answer(With({"backup", "export", kName, "--type", "ec", "-o", File("other")}));
  EXPECT_EQ(made["backups"][0]["sequence"], 1);
}

TEST_F(BackupGenerations, AnIdIsOneKeys) {
  EXPECT_THAT(Fails(With({"backup", "export", kName, "--id", "zz", "-o", File("safe")})),
              HasSubstr("the id \"zz\" is no CKA_ID in hexadecimal"));
  Misused(With({"backup", "export", "--all", "--id", "00", "-o", File("safe")}));
  Misused(With({"backup", "export", kName, "other.test", "--id", "00", "-o", File("safe")}));
}

}  // namespace
}  // namespace keybroker::cli::test
