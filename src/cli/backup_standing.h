#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/backup_record.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// BackupStanding is how the backup on record of a key stands: "good"; "none"; "missing", "unread"
// or "changed", of its file; "verify-due" or "drill-due", by the days of [backup]; "unproved",
// "drill-failed" or "no-standby", of an external one. That takes no password, and so proves neither
// that it opens nor that its key signs.
struct BackupStanding {
  std::string word;
  std::string text;       // what is so and, unless it is good, what to do
  std::string note = {};  // what is to be known although it is good; mostly empty

  bool good() const { return word == "good"; }
};

// Unbacked is a current key that no backup is on record of, and that keybroker knows no way to make
// one of: it did not make or import it as exportable.
struct Unbacked {
  std::string name;
  std::string type;
  std::string id;

  // Which names it on a command line.
  std::string Which() const;
};

// UnbackedKeys are those of this host's current keys. A key of a token that keybroker was never
// told of, and older generations, are not among them: no file names them.
Result<std::vector<Unbacked>> UnbackedKeys(const config::Settings& settings,
                                           const std::vector<BackupRecord>& records);

// UnbackedText says so of one, and what to do.
std::string UnbackedText(const Unbacked& key);

// RestoreOf is the command that restores a lost key from a file on record, one that is there and is
// what it was before another, and says so when none is; empty: no file is on record. An empty id is
// any generation, no type either.
std::string RestoreOf(const config::Settings& settings, const std::vector<BackupRecord>& records,
                      const std::string& name, std::optional<cryptoki::KeyType> type,
                      const std::string& id);

// WayBack is what brings a lost key back where a backup file of it is on record ("`keybroker backup
// restore FILE` puts it back"); empty: none is, or who asks may not read the records.
std::string WayBack(const config::Settings& settings, const std::string& name,
                    std::optional<cryptoki::KeyType> type);

// DrillCommand is what drills the file, with what it is opened by.
std::string DrillCommand(const std::string& file);

// StandingOf reads the file, and compares its SHA-256 with the record. A drill of any file of the
// key that is still there counts: where the newest was not drilled in time, the note says so. which
// names the key on a command line.
BackupStanding StandingOf(const config::Settings& settings, const BackupRecord& record,
                          const std::string& which, int64_t now);

// HasFile: the record is about a backup file, if only that one should be made.
bool HasFile(const BackupRecord& record);

// StandingOfExternal goes by the last drill and its age: there is no file to look at.
BackupStanding StandingOfExternal(const config::Settings& settings, const ExternalBackup& external,
                                  const std::string& which, int64_t now);

}  // namespace keybroker::cli
