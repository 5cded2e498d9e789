#pragma once

#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/pin.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"

namespace keybroker::cli {

// OpenerOptions says what opens backups: a password, or for CMS files a recovery key.
struct OpenerOptions {
  PinOptions password;
  std::string recovery_key;  // file of the private key, as `key import` reads them
  PinOptions passphrase;     // of that file
};

// AddOpenerOptions adds --password-*, --recovery-key and --recovery-password-*.
void AddOpenerOptions(const Command& command, OpenerOptions& options);

// BackupOpener has what the operator gave to open backups with.
class BackupOpener {
 public:
  // Ask takes the password when there are PKCS#12 files, and the recovery key when there are CMS
  // files.
  static Result<BackupOpener> Ask(const OpenerOptions& options, bool pkcs12, bool cms);
  static Result<BackupOpener> Ask(const OpenerOptions& options, backup::FileFormat format);

  // Opens tells whether there is what opens a file of that format.
  bool Opens(backup::FileFormat format) const;

  // Open is backup::OpenBackup, or for a CMS file backup::ReadBackup and whether the recovery key
  // opens its content key.
  backup::FileResult<backup::Backup> Open(std::string_view bytes) const;

  // Kek is the key that a backup's private key is wrapped under.
  Result<Secret> Kek(const backup::Backup& backup) const;

 private:
  Secret password_;
  Secret recovery_key_;  // PKCS#8
};

}  // namespace keybroker::cli
