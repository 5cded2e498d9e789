#include "cli/backup_opener.h"

#include "cli/answer.h"
#include "cli/backup_password.h"
#include "keybroker/backup/cms.h"
#include "keybroker/backup/foreign_key.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/secret_file.h"

namespace keybroker::cli {
namespace {

using backup::FileFormat;

Error NotARecoveryKey(const std::string& path, const backup::KeyFileError& error) {
  const std::string text =
      "the recovery key " + EscapeUnprintable(path) + " does not open: " + error.detail;
  return error.defect == backup::KeyFileDefect::kPassword ? Denied(text) : Malformed(text);
}

// ReadRecoveryKey asks for a passphrase only where the file wants one.
Result<Secret> ReadRecoveryKey(const OpenerOptions& options) {
  const std::string& path = options.recovery_key;
  KB_ASSIGN(const SecretFile file, ReadWholeSecretFile(path, backup::kMaxKeyFile));
  if ((file.mode & 077) != 0) {
    return Fail(Denied("others may read the recovery key " + EscapeUnprintable(path) +
                       ": chmod 600, and think about who has read it. It opens every backup made "
                       "for it"));
  }
  auto key = backup::ReadKeyFile(file.content.Expose(), nullptr, false);
  if (!key && key.error().defect == backup::KeyFileDefect::kPasswordWanted) {
    KB_ASSIGN(const Secret passphrase,
              AskPin(options.passphrase, "passphrase of the recovery key", false));
    key = backup::ReadKeyFile(file.content.Expose(), &passphrase, false);
  }
  if (!key) return Fail(NotARecoveryKey(path, key.error()));
  if (key->type == cryptoki::KeyType::kRsa) return std::move(key->pkcs8);
  return Fail(Malformed("the recovery key " + EscapeUnprintable(path) + " is no RSA key"));
}

}  // namespace

void AddOpenerOptions(const Command& command, OpenerOptions& options) {
  AddPasswordOptions(command, options.password);
  options.passphrase.stem = "recovery-password";
  options.passphrase.word = "passphrase";
  command
      .Option("--recovery-key", options.recovery_key,
              "for a CMS backup: file of the private key of one of its recovery certificates "
              "(mode 0600; PEM, PKCS#8 or PKCS#12)")
      .Option("--recovery-password-file", options.passphrase.file,
              "read that key's passphrase from a file's first line (mode 0600)")
      .Option("--recovery-password-fd", options.passphrase.fd,
              "read that key's passphrase from an open file descriptor's first line");
}

Result<BackupOpener> BackupOpener::Ask(const OpenerOptions& options, bool pkcs12, bool cms) {
  const bool given = !options.recovery_key.empty();
  if (cms && !given) {
    return Fail(
        WrongUsage("a CMS backup has no password: name the file of a recovery key with "
                   "--recovery-key; `keybroker backup inspect` shows for which "
                   "certificates a file was made"));
  }
  if (given && !cms)
    return Fail(WrongUsage("no CMS backup is given, so no recovery key is needed"));
  if (options.password.Given() && !pkcs12) {
    return Fail(WrongUsage("a CMS backup has no password: it is opened by the recovery key alone"));
  }
  BackupOpener opener;
  if (cms) {
    KB_ASSIGN(opener.recovery_key_, ReadRecoveryKey(options));
  }
  if (pkcs12) {
    KB_ASSIGN(opener.password_, AskBackupPassword(options.password));
  }
  return opener;
}

Result<BackupOpener> BackupOpener::Ask(const OpenerOptions& options, FileFormat format) {
  return Ask(options, format == FileFormat::kPkcs12, format == FileFormat::kCms);
}

bool BackupOpener::Opens(FileFormat format) const {
  return !(format == FileFormat::kCms ? recovery_key_ : password_).empty();
}

backup::FileResult<backup::Backup> BackupOpener::Open(std::string_view bytes) const {
  auto backup = backup::ReadBackup(bytes);
  if (!backup) return backup;
  if (backup->format == FileFormat::kPkcs12) return backup::OpenBackup(bytes, password_);
  const auto content_key = backup::OpenContentKey(*backup, recovery_key_);
  if (!content_key) return tl::unexpected(content_key.error());
  return backup;
}

Result<Secret> BackupOpener::Kek(const backup::Backup& backup) const {
  if (backup.format == FileFormat::kPkcs12) return backup::DeriveKek(password_, backup.kdf);
  auto content_key = backup::OpenContentKey(backup, recovery_key_);
  if (content_key) return std::move(*content_key);
  return Fail(Denied(content_key.error().detail));
}

}  // namespace keybroker::cli
