#include "cli/backup_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/credential/test_pki.h"

namespace keybroker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

backup::Backup Of(const std::string& certificate_name) {
  const auto key = credential::test::TestKey::Ec();
  backup::Backup backup;
  backup.manifest.name = "mail.example.test";
  backup.chain = {credential::test::Issue({.dns_names = {certificate_name}}, key, nullptr, key)};
  return backup;
}

TEST(BackupWarnings, AreNoneOfABackupAsWeWriteIt) {
  EXPECT_THAT(BackupWarnings(Of("mail.example.test")), IsEmpty());
  backup::Backup without = Of("mail.example.test");
  without.chain.clear();
  EXPECT_THAT(BackupWarnings(without), IsEmpty());
}

TEST(BackupWarnings, TellOfACertificateForAnotherName) {
  EXPECT_THAT(BackupWarnings(Of("other.example.test")),
              ElementsAre(HasSubstr("is not for mail.example.test")));
}

TEST(BackupWarnings, TellOfIterationsFewerThanOurs) {
  backup::Backup cheap = Of("mail.example.test");
  cheap.kdf.iterations = backup::kMinIterations - 1;
  cheap.mac_iterations = 2 * backup::kMinIterations - 1;
  EXPECT_THAT(BackupWarnings(cheap),
              ElementsAre(HasSubstr("key derivation has " + std::to_string(cheap.kdf.iterations)),
                          HasSubstr("MAC has " + std::to_string(cheap.mac_iterations))));
}

}  // namespace
}  // namespace keybroker::cli
