#include <ctime>

#include "cli/backup_commands.h"
#include "cli/backup_record.h"
#include "cli/backup_standing.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

Json OrNull(int64_t time) { return time == 0 ? Json() : Json(credential::FormatTime(time)); }

Json CheckedJson(const BackupRecord& record, const BackupStanding& standing) {
  return {{"name", record.name},
          {"type", record.type},
          {"id", record.id},
          {"file", record.file},
          {"sha256", record.sha256},
          {"verified", OrNull(record.verified)},
          {"drilled", OrNull(record.drilled)},
          {"good", standing.good()},
          {"state", standing.word},
          {"text", standing.text}};
}

std::string CountedText(size_t good, size_t all) {
  if (all == 0) return "no backup is on record: `keybroker backup export --all -o DIRECTORY`";
  return std::to_string(good) + " of " + std::to_string(all) +
         " backups are there, unchanged, and not overdue; that they open and restore takes their "
         "password: keybroker drill";
}

Result<Answer> BackupCheck(const Invocation& invocation) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto records, LoadBackupRecords(settings));
  const int64_t now = std::time(nullptr);
  Answer answer;
  answer.json = {{"good", false}, {"count", records.size()}, {"backups", Json::array()}};
  std::vector<std::vector<std::string>> rows;
  size_t good = 0;
  for (const BackupRecord& record : records) {
    const auto standing = StandingOf(settings, record, record.name + " --type " + record.type, now);
    good += standing.good() ? 1 : 0;
    answer.json["backups"].push_back(CheckedJson(record, standing));
    rows.push_back({standing.word, record.name, record.type, standing.text});
  }
  answer.good = good == records.size();
  answer.json["good"] = answer.good;
  answer.text = Columns(rows) + CountedText(good, records.size());
  return answer;
}

}  // namespace

void AddBackupCheck(const Command& noun) {
  noun.Verb("check",
            "look whether every backup on record is where it was and what it was, and not overdue "
            "for a drill; without a password, for a timer (exit status 0: all are; 1: not, each "
            "with what to do)",
            "keybroker backup check")
      .Does(BackupCheck);
}

}  // namespace keybroker::cli
