#include "cli/backup_recipients.h"
#include "cli/backup_record.h"
#include "cli/backup_standing.h"
#include "cli/diagnosis.h"
#include "cli/key_choice.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

void Tell(const BackupStanding& standing, const std::string& subject, Diagnosis& diagnosis) {
  if (standing.good()) {
    diagnosis.Ok(subject, standing.text + (standing.note.empty() ? "" : "; " + standing.note));
  } else if (standing.word == "changed" || standing.word == "drill-failed") {
    diagnosis.Wrong(subject, standing.text);
  } else {
    diagnosis.Warn(subject, standing.text);
  }
}

// ExamineRecord looks at the record of one key; which names it on a command line.
void ExamineRecord(const config::Settings& settings, const BackupRecord& record,
                   const std::string& which, int64_t now, Diagnosis& diagnosis) {
  if (HasFile(record)) {
    Tell(StandingOf(settings, record, which, now), "backup of " + which, diagnosis);
  }
  if (record.external) {
    Tell(StandingOfExternal(settings, *record.external, which, now), "external backup of " + which,
         diagnosis);
  }
}

constexpr int64_t kRecoverySoon = 30;  // days

// ExamineRecipients looks at the recovery certificates before an export has to.
void ExamineRecipients(const config::Settings& settings, int64_t now, Diagnosis& diagnosis) {
  if (settings.backup_recipients.empty()) return;
  const auto loaded = LoadRecoveryCertificates(settings, now);
  if (!loaded) {
    diagnosis.Wrong("recovery certificates", loaded.error().detail);
    return;
  }
  for (const RecoveryCertificate& each : *loaded) {
    const int64_t until = each.certificate.not_after;
    const std::string text =
        each.certificate.subject + ", valid until " + credential::FormatTime(until);
    if (until - now < kRecoverySoon * 86400) {
      diagnosis.Warn("recovery certificate " + each.file.string(),
                     text + ": no CMS backup is made for it from then on");
    } else {
      diagnosis.Ok("recovery certificate " + each.file.string(), text);
    }
  }
}

}  // namespace

void ExamineBackups(const config::Settings& settings, int64_t now, Diagnosis& diagnosis) {
  ExamineRecipients(settings, now, diagnosis);
  const auto current = LoadCurrent(settings);
  if (!current) return;  // ExamineKeys says so
  for (const auto& [entry, id] : current->ids) {
    const std::string which =
        ShellQuote(entry.first) + " --type " + std::string(cryptoki::KeyTypeName(entry.second));
    const auto record = LoadBackupRecord(settings, id);
    if (record && record->id.empty()) {
      const Unbacked key{entry.first, std::string(cryptoki::KeyTypeName(entry.second)), id};
      diagnosis.Warn("backup of " + which, UnbackedText(key));
    } else if (record) {
      ExamineRecord(settings, *record, which, now, diagnosis);
    } else {
      diagnosis.Wrong("backup of " + which, record.error().detail);
    }
  }
}

}  // namespace keybroker::cli
