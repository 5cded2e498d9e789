#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/external_backup.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// KnownFile is a backup file that went well once, by its bytes.
struct KnownFile {
  std::string sha256;
  int64_t verified = 0;  // last, seconds since 1970
};

// DrilledFile is a file of the key that is not the one on record, and that a drill went well with.
struct DrilledFile {
  std::string file;
  std::string sha256;
  int64_t drilled = 0;  // seconds since 1970
};

// BackupRecord is what the operator's state folder remembers of a key's newest backup file, by
// which hashes it knows earlier ones, and of a backup by the vendor's own means.
struct BackupRecord {
  std::string name;
  std::string type;
  std::string id;    // CKA_ID in hex
  std::string file;  // where it was when it was last verified
  std::string sha256;
  uint64_t sequence = 0;  // of the manifest; 0: no backup is on record
  int64_t verified = 0;   // seconds since 1970; 0: never
  int64_t proved = 0;     // when a token last made the key of this very file; 0: never
  int64_t drilled = 0;    // its last drill that went well; 0: never
  unsigned drill_level = 0;
  int64_t deleted = 0;           // when the last token here that had the key lost it; 0: one has it
  uint64_t exported = 0;         // number of the last backup that this host made; 0: none
  std::vector<KnownFile> known;  // kMaxKnownFiles at most, the last verified first
  std::vector<DrilledFile> others_drilled;  // kMaxDrilledFiles at most, the last drilled first
  std::optional<ExternalBackup> external;

  // VerifiedAt is when the file of this hash last went well; 0: never, or too long ago to be known.
  int64_t VerifiedAt(const std::string& hash) const;

  // NextNumber is the next backup's. A file counts for it once a token made the key of it: what
  // only verifies, anybody who knows a password can have given any number. From
  // backup::kMaxSequence on it goes by what this host made itself.
  uint64_t NextNumber() const;
};

inline constexpr size_t kMaxKnownFiles = 64;
inline constexpr size_t kMaxDrilledFiles = 4;

// LoadBackupRecord gives the record of a key's id, an empty one when there is none.
Result<BackupRecord> LoadBackupRecord(const config::Settings& settings, const std::string& id);

// LoadBackupRecords gives all of them, sorted by name, type and id. Denied for who may not read
// the operator's state.
Result<std::vector<BackupRecord>> LoadBackupRecords(const config::Settings& settings);

Status StoreBackupRecord(const config::Settings& settings, const BackupRecord& record);

// Exported, Verified, Proved and Drilled put down that a file went well just now. Its hash is known
// from then on. It becomes the backup on record unless a newer one of the same key is: an old file
// that still opens says nothing about that one. Whoever knows a password can make a file that
// verifies; only what a token unwrapped, and signed with, holds the key. So a file that was only
// verified never takes the place of one that was proved; and one that this host has just made takes
// any place, whatever number a forged one had.
struct SeenBackup {
  std::string file;
  std::string sha256;
  const backup::Manifest& manifest;
};
Status RecordExported(const config::Settings& settings, const SeenBackup& seen, int64_t now);
// RecordExportedFor is for a file that nobody on this host can open: that its key restores, a drill
// with the recovery key has to prove. It takes no proved one's place until then.
Status RecordExportedFor(const config::Settings& settings, const SeenBackup& seen, int64_t now);
Status RecordVerified(const config::Settings& settings, const SeenBackup& seen, int64_t now);
Status RecordProved(const config::Settings& settings, const SeenBackup& seen, int64_t now);
Status RecordDrilled(const config::Settings& settings, const SeenBackup& seen, int64_t now,
                     unsigned level);

// RecordRefuted takes back what was proved of a file: a token could not make the key of it. The
// file opens no gate until another drill went well.
Status RecordRefuted(const config::Settings& settings, const SeenBackup& seen);

// ForgetProofOn takes back what a drill on token proved of the key's external backup: the key is
// not there any more.
Status ForgetProofOn(const config::Settings& settings, const std::string& id,
                     const TokenIdentity& token);

// RecordOriginLost puts down that the token which the key's external backup is the backup of has
// lost the key: the standby's is the key itself from then on.
Status RecordOriginLost(const config::Settings& settings, const std::string& id,
                        const TokenIdentity& token, int64_t now);

// RecordDeleted puts down that no token here has the key any more; what backups are on record of it
// stay so. Nothing where none is.
Status RecordDeleted(const config::Settings& settings, const std::string& id, int64_t now);

// ForgetProofs takes back what drills proved of any external backup, and gives of how many: a token
// loses all that it has, and which it is by another name is not known afterwards.
Result<size_t> ForgetProofs(const config::Settings& settings);

// DaysSince is the age in whole days.
int64_t DaysSince(int64_t then, int64_t now);

}  // namespace keybroker::cli
