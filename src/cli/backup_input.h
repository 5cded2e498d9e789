#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/answer.h"
#include "cli/invocation.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// BackupInput is a backup file as it was read from the disk.
struct BackupInput {
  std::string path;  // absolute
  std::string bytes;
  std::string sha256;
};

// ReadBackupInput reads it; NotFound and the like are Errors, defects of the content are not.
Result<BackupInput> ReadBackupInput(const std::string& path);

// SettingsIfAny is the configuration, or nothing on a host that has none, such as one for recovery.
// One that is there and wrong is an Error.
Result<std::optional<config::Settings>> SettingsIfAny(const Invocation& invocation);

// RefusedBackup is the answer to a file with a defect: its exit status is the defect's number.
// Where the file is byte for byte one that was verified before, a MAC that does not fit can only
// mean the password, and the answer says so.
Answer RefusedBackup(const BackupInput& input, const backup::FileError& error,
                     const std::optional<config::Settings>& settings);

// RecordRefusal puts a refused file, a wrong password among them, into the operator's audit chain.
// A note tells when it could not be, which never hides the refusal itself.
void RecordRefusal(const config::Settings& settings, std::string_view action,
                   const BackupInput& input, const backup::FileError& error, Answer& answer);

// IsOpenersFault tells whether a defect is that of the password or recovery key: whoever gave it is
// denied.
bool IsOpenersFault(backup::Defect defect);

// BackupWarnings are what is odd about a backup that restores all the same: a certificate that is
// not for its key name, a key derivation or MAC that is cheaper to guess at than those of ours.
std::vector<std::string> BackupWarnings(const backup::Backup& backup);

// DefectText is the sentence for it, without the file's name.
std::string DefectText(const BackupInput& input, const backup::FileError& error,
                       const std::optional<config::Settings>& settings);

// DefectCode is the word for it in --json output: "wrong-password" where only the password can be
// wrong, since the file is known, and the defect's name else.
std::string DefectCode(const BackupInput& input, const backup::FileError& error,
                       const std::optional<config::Settings>& settings);

// BackupJson is what a backup says of itself, verified or not; BackupText lays it out.
Json BackupJson(const BackupInput& input, const backup::Backup& backup, bool verified);
std::string BackupText(const Json& json);

// EmergencyWay is what opens the file without keybroker.
std::string EmergencyWay(const std::string& path, backup::FileFormat format);

}  // namespace keybroker::cli
