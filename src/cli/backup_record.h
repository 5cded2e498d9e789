#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keybroker/backup/backup_file.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// BackupRecord is what the operator's state folder remembers of a key's newest backup.
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
};

// LoadBackupRecord gives the record of a key's id, an empty one when there is none.
Result<BackupRecord> LoadBackupRecord(const config::Settings& settings, const std::string& id);

// LoadBackupRecords gives all of them, sorted by name, type and id. Denied for who may not read
// the operator's state.
Result<std::vector<BackupRecord>> LoadBackupRecords(const config::Settings& settings);

Status StoreBackupRecord(const config::Settings& settings, const BackupRecord& record);

// Verified, Proved and Drilled put down that a file went well just now, unless a newer backup of
// the same key is on record: an old file that still opens says nothing about that one. Whoever
// knows a password can make a file that verifies; only what a token unwrapped, and signed with,
// holds the key. So a file that was only verified never takes the place of one that was proved.
struct SeenBackup {
  std::string file;
  std::string sha256;
  const backup::Manifest& manifest;
};
Status RecordVerified(const config::Settings& settings, const SeenBackup& seen, int64_t now);
Status RecordProved(const config::Settings& settings, const SeenBackup& seen, int64_t now);
Status RecordDrilled(const config::Settings& settings, const SeenBackup& seen, int64_t now,
                     unsigned level);

// DaysSince is the age in whole days.
int64_t DaysSince(int64_t then, int64_t now);

}  // namespace keybroker::cli
