#include "cli/backup_record.h"
#include "cli/diagnosis.h"
#include "cli/key_choice.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

// ExamineRecord looks at the record of one key; which names it on a command line.
void ExamineRecord(const config::Settings& settings, const BackupRecord& record,
                   const std::string& which, int64_t now, Diagnosis& diagnosis) {
  const std::string subject = "backup of " + which;
  if (record.verified == 0) {
    diagnosis.Warn(subject, "none is on record: `keybroker backup export " + which + " -o FILE`");
    return;
  }
  const int64_t age = DaysSince(record.verified, now);
  if (age > settings.backup_days) {
    diagnosis.Warn(subject, "last verified " + std::to_string(age) +
                                " days ago: `keybroker backup "
                                "verify " +
                                record.file + "`");
    return;
  }
  if (record.drilled == 0) {
    diagnosis.Warn(subject, "never restored in a drill: `keybroker drill " + record.file + "`");
    return;
  }
  const int64_t drill_age = DaysSince(record.drilled, now);
  if (drill_age > settings.drill_days) {
    diagnosis.Warn(subject, "last drilled " + std::to_string(drill_age) +
                                " days ago: `keybroker drill " + record.file + "`");
    return;
  }
  diagnosis.Ok(subject, "verified at " + credential::FormatTime(record.verified) + ", drilled at " +
                            credential::FormatTime(record.drilled));
}

}  // namespace

void ExamineBackups(const config::Settings& settings, int64_t now, Diagnosis& diagnosis) {
  const auto current = LoadCurrent(settings);
  if (!current) return;  // ExamineKeys says so
  for (const auto& [entry, id] : current->ids) {
    const std::string which =
        entry.first + " --type " + std::string(cryptoki::KeyTypeName(entry.second));
    const auto record = LoadBackupRecord(settings, id);
    if (record && record->id.empty()) continue;  // not exportable: it can have none
    if (record) {
      ExamineRecord(settings, *record, which, now, diagnosis);
    } else {
      diagnosis.Wrong("backup of " + which, record.error().detail);
    }
  }
}

}  // namespace keybroker::cli
