#pragma once

#include <string>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {

inline constexpr char kBackupPassword[] = "correct horse battery staple";

// SafeHost has a token, and a folder and passwords for backups.
class SafeHost : public Host {
 protected:
  void Make() override;
  void MakeSafe() const;  // folder and passwords

  // With gives the options that name the backup's password.
  keybroker::test::Arguments With(keybroker::test::Arguments arguments,
                                  const std::string& password_file = "password") const;

  // DrillFolders are those of drills that run, this test's and any other's; each goes away with its
  // drill, and only one that was left stays.
  static std::vector<std::filesystem::path> DrillFolders();
  static void ExpectNoDrillFolderStays();

  // IsInRecoveryTable tells whether docs/recovery.md has a row "it says | what to do" for text: all
  // that the first cell quotes of it ("…" stands for what differs) is in it, in that order.
  static bool IsInRecoveryTable(const std::string& text);

  // Spki is the DER public key that key show gives, in hex.
  std::string Spki(const std::string& name, const std::string& type) const;
};

// BackupHost has the exportable keys of kName too, RSA and EC, with certificates.
class BackupHost : public SafeHost {
 protected:
  void Make() override;

  // Key makes an exportable key with a certificate from the CA.
  void Key(const std::string& name, const std::string& type) const;

  // KeyWithForeignCertificate makes one that has the CA's certificate under its CKA_ID, as another
  // program may have put it there.
  void KeyWithForeignCertificate(const std::string& name) const;

  // Export makes the backup of kName's key of type, and gives its file.
  std::string Export(const std::string& type) const;
};

}  // namespace keybroker::cli::test
