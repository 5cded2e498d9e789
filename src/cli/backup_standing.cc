#include "cli/backup_standing.h"

#include <algorithm>
#include <filesystem>

#include "cli/key_choice.h"
#include "cli/run_programs.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/file.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

std::string DaysAgo(int64_t then, int64_t now) {
  return std::to_string(DaysSince(then, now)) + " days ago";
}

// DrilledOther is another file of the key that a drill within drill_days went well with, and that
// is there as it was then; nullptr: there is none.
const DrilledFile* DrilledOther(const config::Settings& settings, const BackupRecord& record,
                                int64_t now) {
  for (const DrilledFile& each : record.others_drilled) {
    if (each.drilled == 0 || DaysSince(each.drilled, now) > settings.drill_days) continue;
    const auto bytes = ReadFile(each.file, backup::kMaxFile);
    if (bytes && backup::FileSha256(*bytes) == each.sha256) return &each;
  }
  return nullptr;
}

// StandingOfFile is "good" for a file that is there and is what it was.
BackupStanding StandingOfFile(const BackupRecord& record, const std::string& which) {
  const std::string remedy =
      ": put it back, or `keybroker drill FILE` with the file where it is now; where the key may "
      "still leave its token, `keybroker backup export " +
      which + " -o FILE` makes another";
  const auto bytes = ReadFile(record.file, backup::kMaxFile);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) {
    return {"missing", record.file + " is not there any more" + remedy};
  }
  if (!bytes) return {"unread", bytes.error().detail};
  if (backup::FileSha256(*bytes) != record.sha256) {
    return {"changed", record.file + " is not what it was" + remedy};
  }
  return {"good", ""};
}

// IsGone: no token is configured under the name.
bool IsGone(const config::Settings& settings, const std::string& token) {
  std::error_code error;
  return !std::filesystem::exists(settings.TokenFile(token), error) && !error;
}

}  // namespace

Result<std::vector<Unbacked>> UnbackedKeys(const config::Settings& settings,
                                           const std::vector<BackupRecord>& records) {
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  std::vector<Unbacked> keys;
  for (const auto& [entry, current_id] : current.ids) {
    const std::string& id = current_id;  // clang 14: no lambda has a structured binding
    const bool on_record = std::any_of(records.begin(), records.end(),
                                       [&](const BackupRecord& each) { return each.id == id; });
    if (!on_record) {
      keys.push_back({entry.first, std::string(cryptoki::KeyTypeName(entry.second)), id});
    }
  }
  return keys;
}

std::string Unbacked::Which() const { return ShellQuote(name) + " --type " + type; }

std::string UnbackedText(const Unbacked& key) {
  const std::string which = key.Which();
  return "NO BACKUP is on record, and keybroker did not make it exportable. "
         "One by the vendor's own means: `keybroker backup record --external " +
         which + " --note TEXT`; or a new key that can have one: `keybroker key generate " + which +
         " --new-generation --exportable` (--backup-at-birth FILE instead, for a token that lets "
         "no key out). Is it lost for good: `keybroker key current " +
         which + " --forget`";
}

std::string RestoreOf(const config::Settings& settings, const std::vector<BackupRecord>& records,
                      const std::string& name, std::optional<cryptoki::KeyType> type,
                      const std::string& id) {
  const BackupRecord* best = nullptr;
  bool whole = false;
  for (const BackupRecord& record : records) {
    const bool fits = record.name == name && (id.empty() || record.id == id) &&
                      (!type || record.type == cryptoki::KeyTypeName(*type));
    if (!fits || record.file.empty()) continue;
    const bool good = StandingOfFile(record, "").good();
    const bool better =
        best == nullptr || (good && !whole) || (good == whole && record.verified > best->verified);
    if (better) best = &record, whole = good;
  }
  if (best == nullptr) return {};
  const auto tokens = RunTokenNames(settings);  // of several, a restore has to be told which
  return "`keybroker backup restore " + ShellQuote(best->file) +
         (best->file.ends_with(".cms") ? " --recovery-key KEY" : "") +
         (tokens && tokens->size() > 1 ? " --token TOKEN`" : "`") +
         (whole ? "" : ", once that file is there again as it was,");
}

std::string WayBack(const config::Settings& settings, const std::string& name,
                    std::optional<cryptoki::KeyType> type) {
  const auto records = LoadBackupRecords(settings);
  const std::string restore = records ? RestoreOf(settings, *records, name, type, "") : "";
  return restore.empty() ? "" : restore + " puts it back";
}

std::string DrillCommand(const std::string& file) {
  return "keybroker drill " + ShellQuote(file) +
         (file.ends_with(".cms") ? " --recovery-key KEY" : "");
}

BackupStanding StandingOf(const config::Settings& settings, const BackupRecord& record,
                          const std::string& which, int64_t now) {
  if (record.verified == 0) {
    return {"none", "none is on record: `keybroker backup export " + which + " -o FILE`"};
  }
  BackupStanding standing = StandingOfFile(record, which);
  if (!standing.good()) return standing;
  const std::string drill = ": `" + DrillCommand(record.file) + "`";
  if (DaysSince(record.verified, now) > settings.backup_days) {
    return {"verify-due", "last verified " + DaysAgo(record.verified, now) +
                              ": `keybroker backup verify " + ShellQuote(record.file) + "`"};
  }
  const bool never = record.drilled == 0;
  if (never || DaysSince(record.drilled, now) > settings.drill_days) {
    const std::string due = never ? "this file was never restored in a drill"
                                  : "last drilled " + DaysAgo(record.drilled, now);
    const DrilledFile* const other = DrilledOther(settings, record, now);
    if (other == nullptr) return {"drill-due", due + drill};
    standing.text = "proved by another file of the key, " + other->file + ", drilled at " +
                    credential::FormatTime(other->drilled);
    standing.note = "of the newest, " + record.file + ": " + due + drill;
    return standing;
  }
  standing.text = "verified at " + credential::FormatTime(record.verified) + ", drilled at " +
                  credential::FormatTime(record.drilled);
  return standing;
}

bool HasFile(const BackupRecord& record) { return record.verified != 0 || !record.external; }

BackupStanding StandingOfExternal(const config::Settings& settings, const ExternalBackup& external,
                                  const std::string& which, int64_t now) {
  const std::string drill = ": `keybroker drill --external " + which + " --token " +
                            (external.at.empty() ? "STANDBY" : external.at) + "`";
  if (external.failed != 0) {
    return {"drill-failed", "the drill at " + credential::FormatTime(external.failed) +
                                " failed (" + external.failure +
                                "), which counts until one goes "
                                "well" +
                                drill};
  }
  if (external.drilled == 0) {
    return {"unproved", "recorded at " + credential::FormatTime(external.recorded) +
                            ", and never proved by a signature on a standby token" + drill};
  }
  if (DaysSince(external.drilled, now) > settings.drill_days) {
    return {"drill-due", "last proved " + DaysAgo(external.drilled, now) + drill};
  }
  const bool unconfigured =
      IsGone(settings, external.from) && !IsGone(settings, external.drilled_on);
  if (external.origin_lost != 0 || unconfigured) {
    return {
        "no-standby",
        "it was the backup of the key on the token \"" + external.from +
            (unconfigured ? "\", which is not configured here any more"
                          : "\", which was deleted there") +
            ": the one on \"" + external.drilled_on +
            "\" is the key itself now. Record it anew where another token has it too: `keybroker "
            "backup record --external " +
            which + " --token TOKEN --note TEXT`"};
  }
  return {"good", "the token \"" + external.drilled_on + "\" signed as the key at " +
                      credential::FormatTime(external.drilled)};
}

}  // namespace keybroker::cli
