#pragma once

#include <string>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {

inline constexpr char kBackupPassword[] = "correct horse battery staple";

// BackupHost has the exportable keys of kName, RSA and EC, with certificates, and a folder for
// backups.
class BackupHost : public Host {
 protected:
  void SetUp() override;

  // Key makes an exportable key with a certificate from the CA.
  void Key(const std::string& name, const std::string& type) const;

  // Password gives the options that name the backup's password.
  keybroker::test::Arguments With(keybroker::test::Arguments arguments,
                                  const std::string& password_file = "password") const;

  // Export makes the backup of kName's key of type, and gives its file.
  std::string Export(const std::string& type) const;

  // DrillFolders are those of drills that run, this test's and any other's; each goes away with its
  // drill, and only one that was left stays.
  static std::vector<std::filesystem::path> DrillFolders();
  static void ExpectNoDrillFolderStays();

  // Spki is the DER public key that key show gives, in hex.
  std::string Spki(const std::string& name, const std::string& type) const;
};

}  // namespace keybroker::cli::test
