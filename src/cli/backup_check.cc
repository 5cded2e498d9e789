#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/backup_commands.h"
#include "cli/backup_record.h"
#include "cli/backup_standing.h"
#include "cli/key_choice.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

Json OrNull(int64_t time) { return time == 0 ? Json() : Json(credential::FormatTime(time)); }

Json CheckedJson(const BackupRecord& record, const BackupStanding& standing) {
  return {{"kind", "file"},
          {"name", record.name},
          {"type", record.type},
          {"id", record.id},
          {"file", record.file},
          {"sha256", record.sha256},
          {"verified", OrNull(record.verified)},
          {"drilled", OrNull(record.drilled)},
          {"good", standing.good()},
          {"state", standing.word},
          {"text", standing.text},
          {"hint", standing.note}};
}

Json CheckedExternalJson(const BackupRecord& record, const BackupStanding& standing) {
  const ExternalBackup& external = *record.external;
  return {{"kind", "external"},
          {"name", record.name},
          {"type", record.type},
          {"id", record.id},
          {"note", external.note},
          {"at", external.at},
          {"recorded", OrNull(external.recorded)},
          {"drilled", OrNull(external.drilled)},
          {"good", standing.good()},
          {"state", standing.word},
          {"text", standing.text}};
}

// Counted is how many of one kind there are, and how many of them are good.
struct Counted {
  size_t good = 0;
  size_t all = 0;

  void Add(const BackupStanding& standing) {
    good += standing.good() ? 1 : 0;
    ++all;
  }
  std::string Text() const { return std::to_string(good) + " of " + std::to_string(all); }
};

struct Checked {
  Counted files;
  Counted external;
  size_t unbacked = 0;
  Json backups = Json::array();
  std::vector<std::vector<std::string>> rows;

  bool good() const { return files.good == files.all && external.good == external.all; }
};

// CheckRetired shows the backup of a key that was deleted here: whether it is kept is nobody's
// failure.
void CheckRetired(const BackupRecord& record, Checked* checked) {
  std::string text = "the key was deleted at " + credential::FormatTime(record.deleted);
  if (!record.file.empty()) {
    std::error_code error;
    const bool there = std::filesystem::exists(record.file, error);
    text += "; " + record.file + (there ? " would bring it back" : " is not there any more either");
  }
  checked->backups.push_back({{"kind", "retired"},
                              {"name", record.name},
                              {"type", record.type},
                              {"id", record.id},
                              {"file", record.file},
                              {"good", true},
                              {"state", "retired"},
                              {"text", text}});
  checked->rows.push_back({"retired", record.name, record.type, text});
}

void Check(const config::Settings& settings, const BackupRecord& record, int64_t now,
           Checked* checked) {
  const std::string which = ShellQuote(record.name) + " --type " + record.type;
  if (HasFile(record)) {
    const auto standing = StandingOf(settings, record, which + " --id " + record.id, now);
    checked->files.Add(standing);
    checked->backups.push_back(CheckedJson(record, standing));
    checked->rows.push_back({standing.word, record.name, record.type, standing.text});
    if (!standing.note.empty()) checked->rows.push_back({"", "", "", standing.note});
  }
  if (!record.external) return;
  const auto standing =
      StandingOfExternal(settings, *record.external, which + " --id " + record.id, now);
  checked->external.Add(standing);
  checked->backups.push_back(CheckedExternalJson(record, standing));
  checked->rows.push_back({standing.word, record.name, record.type,
                           "external, " + record.external->note + ": " + standing.text});
}

// CheckUnbacked comes before all else: nothing brings such a key back.
void CheckUnbacked(const std::vector<Unbacked>& keys, Checked* checked) {
  checked->unbacked = keys.size();
  for (const Unbacked& key : keys) {
    const std::string text = UnbackedText(key);
    checked->backups.push_back({{"kind", "none"},
                                {"name", key.name},
                                {"type", key.type},
                                {"id", key.id},
                                {"good", false},
                                {"state", "no-backup"},
                                {"text", text}});
    checked->rows.push_back({"no-backup", key.name, key.type, text});
  }
}

std::string UnbackedCount(const Checked& checked, bool require_all) {
  if (checked.unbacked == 0) return {};
  return std::to_string(checked.unbacked) +
         (checked.unbacked == 1 ? " current key has" : " current keys have") + " no backup at all" +
         (require_all ? ""
                      : ", which does not count as a failure here: with --require-all it does") +
         "\n";
}

std::string CountedText(const Checked& checked) {
  std::string text;
  if (checked.files.all > 0) {
    text = checked.files.Text() +
           " backups are there, unchanged, and not overdue; that they open and restore takes their "
           "password: `keybroker drill FILE`, or their folder";
  }
  if (checked.external.all > 0) {
    text += (text.empty() ? "" : "\n") + checked.external.Text() +
            " external backups are proved and not overdue; they have no file to look at, so only "
            "the age of their last drill was";
  }
  return text.empty()
             ? "no backup is on record: `keybroker backup export --all -o DIRECTORY`; of one by "
               "the vendor's own means: `keybroker backup record`"
             : text;
}

bool IsCurrentId(const policy::CurrentKeys& current, const std::string& id) {
  return std::any_of(current.ids.begin(), current.ids.end(),
                     [&](const auto& entry) { return entry.second == id; });
}

Result<Answer> BackupCheck(const Invocation& invocation, bool require_all) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto records, LoadBackupRecords(settings));
  const int64_t now = std::time(nullptr);
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const auto unbacked, UnbackedKeys(settings, records));
  Checked checked;
  CheckUnbacked(unbacked, &checked);
  for (const BackupRecord& record : records) {
    // One that came back by other ways than a restore is the current one of its name again.
    if (record.deleted != 0 && !IsCurrentId(current, record.id)) {
      CheckRetired(record, &checked);
    } else {
      Check(settings, record, now, &checked);
    }
  }
  Answer answer;
  answer.good = checked.good() && (!require_all || checked.unbacked == 0);
  answer.json = {{"good", answer.good},
                 {"count", checked.backups.size()},
                 {"without_backup", checked.unbacked},
                 {"require_all", require_all},
                 {"backups", std::move(checked.backups)}};
  answer.text = Columns(checked.rows) + UnbackedCount(checked, require_all) + CountedText(checked);
  return answer;
}

}  // namespace

void AddBackupCheck(const Command& noun) {
  auto require_all = std::make_shared<bool>(false);
  const Command verb = noun.Verb(
      "check",
      "look whether every backup on record is where it was and what it was, and not overdue for a "
      "drill (an external one has no file: by the age of its last drill), and which current keys "
      "have none; without a password, for a timer. Exit status 0: all are; 1: not, or a key that "
      "was made exportable has none, each with what to do. A key that was not, and has no external "
      "backup either, is listed, and counts with --require-all only",
      "keybroker backup check");
  verb.Flag("--require-all", *require_all,
            "fail too when a current key has no backup at all, also where it was meant so");
  verb.Does([require_all](const Invocation& i) { return BackupCheck(i, *require_all); });
}

}  // namespace keybroker::cli
