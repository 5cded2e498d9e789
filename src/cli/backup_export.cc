#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>
#include <utility>

#include "cli/backup_commands.h"
#include "cli/backup_export_cms.h"
#include "cli/backup_export_job.h"
#include "cli/backup_export_way.h"
#include "cli/backup_input.h"
#include "cli/backup_password.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/in_parallel.h"
#include "cli/interruption.h"
#include "cli/key_tokens.h"
#include "cli/progress_line.h"
#include "keybroker/backup/cms.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

// So many keys are wrapped in one go: a long export shows how far it is, and a command that waits
// for the lock gets its turn.
constexpr size_t kBatch = 16;

struct ExportOptions {
  TokenOptions token;
  PinOptions password;
  SubjectChoice choice;
  std::string output;
  std::string format;
  std::string encryption;
  bool generate = false;
};

// Place names the job's file in its directory by the next number that no file there has: a command
// that was killed may leave a whole one of which nothing is on record. Conflict after a few:
// whoever else writes to the directory must not use the numbers up.
Status Place(ExportJob& job, backup::FileFormat format) {
  constexpr int kTries = 100;
  std::error_code error;
  auto& number = job.subject.manifest.sequence;
  for (int tries = 0; tries < kTries; ++tries, ++number) {
    job.path = BackupPathIn(job.directory, job.subject.manifest, format);
    if (!std::filesystem::exists(job.path, error)) return {};
  }
  return Fail(Conflict(job.path.string() + " exists, and so do those of the numbers before it, of "
                                           "which nothing is on record: name another directory"));
}

Result<std::vector<ExportJob>> Jobs(std::vector<BackupSubject> subjects, const std::string& output,
                                    backup::FileFormat format) {
  const auto target = std::filesystem::absolute(output).lexically_normal();
  std::error_code none;  // what cannot be looked at is refused when it is written
  const bool directory = std::filesystem::is_directory(target, none);
  if (subjects.size() > 1 && !directory) {
    return Fail(NotFound("there are " + std::to_string(subjects.size()) + " keys to back up, and " +
                         target.string() +
                         " is no directory: make it (mkdir -m 700), or name one "
                         "key and its --type"));
  }
  std::vector<ExportJob> jobs;
  for (BackupSubject& subject : subjects) {
    ExportJob& job = jobs.emplace_back();
    job.subject = std::move(subject);
    if (directory) {
      job.directory = target;
      KB_TRY(Place(job, format));
    } else if (job.path = target; std::filesystem::exists(target, none)) {
      return Fail(Conflict(target.string() + " exists: no backup is ever overwritten. Nothing "
                                             "was made"));
    }
  }
  return jobs;
}

// WrapAll wraps the batch's keys, each under its own KEK, in one process of the token's.
Result<Json> WrapAll(const TokenAccess& access, const ExportBatch& batch,
                     std::optional<token::WrapAlgorithm> algorithm) {
  std::vector<const Secret*> keks;
  keks.reserve(batch.size());
  for (const ExportJob* job : batch) keks.push_back(&job->kek);
  return access.Run(false, keks, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    Json list = Json::array();
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto key = KeyOfJob(keys, *batch[i]);
      const auto wrapped =
          key ? token::WrapPrivateKey(token.session, **key, token.secrets[i], algorithm)
              : Result<token::WrappedKey>(Fail(key.error()));
      list.push_back(wrapped ? WrappedJson(*wrapped) : Json{{"error", wrapped.error().detail}});
    }
    return list;
  });
}

// Derive makes each job its KDF and KEK.
void Derive(const ExportBatch& batch, const Secret& password, uint32_t iterations) {
  InParallel(batch.size(),
             [&](size_t i) { batch[i]->done = DeriveJobKek(password, iterations, batch[i]); });
}

// WriteAll begins no further file once the command is asked to end; those begun become whole.
void WriteAll(const ExportBatch& batch, const ExportWay& way, ProgressLine& progress) {
  InParallel(batch.size(), [&](size_t i) {
    ExportJob& job = *batch[i];
    if (Interruption::Asked()) return;
    job.begun = true;
    if (!job.done) return;
    job.done = WriteJob(way.password, &job);
    progress.OneMore();
  });
}

// RecipientsText is who can open the file, for the audit.
std::string RecipientsText(const backup::Backup& backup) {
  std::string text;
  for (const auto& each : backup.recipients) {
    text += (text.empty() ? ", for " : "; ") + backup::RecipientText(each);
  }
  return text;
}

// PutDown keeps record and audit of a job, whatever became of it.
Status PutDown(const config::Settings& settings, const TokenAccess& access, Change& change,
               ExportJob& job) {
  const auto& manifest = job.subject.manifest;
  const std::string sha256 = job.done ? backup::FileSha256(*job.bytes) : "none";
  if (job.done) {
    const auto record =
        job.backup.format == backup::FileFormat::kCms ? RecordExportedFor : RecordExported;
    KB_TRY(record(settings, {job.path, sha256, manifest}, std::time(nullptr)));
  }
  return change.Record({"backup-export", manifest.name, Hex(manifest.id),
                        "token " + access.config().name + RecipientsText(job.backup) + ", " +
                            RecordedFile(job.path, sha256)},
                       job.done);
}

// WrapUnderPassword makes the batch's KEKs, and wraps its keys.
Status WrapUnderPassword(const config::Settings& settings, const TokenAccess& access,
                         const ExportBatch& batch, const ExportWay& way) {
  Derive(batch, way.password, settings.backup_iterations);
  for (const ExportJob* job : batch) KB_TRY(job->done);
  KB_ASSIGN(const Json wrapped, WrapAll(access, batch, way.algorithm));
  if (!wrapped.is_array() || wrapped.size() != batch.size()) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  for (size_t i = 0; i < batch.size(); ++i) batch[i]->done = TakeWrapped(wrapped[i], batch[i]);
  return {};
}

// Renumber takes the number that is the next by now: another command may have had the lock before.
Status Renumber(const config::Settings& settings, ExportJob& job, backup::FileFormat format) {
  backup::Manifest& manifest = job.subject.manifest;
  KB_ASSIGN(const BackupRecord record, LoadBackupRecord(settings, Hex(manifest.id)));
  manifest.sequence = record.NextNumber();
  if (!job.directory.empty()) KB_TRY(Place(job, format));
  return {};
}

Status MakeBatch(const config::Settings& settings, const TokenAccess& access,
                 const ExportBatch& batch, ExportWay& way, ProgressLine& progress) {
  KB_ASSIGN(Change change, Change::Begin(settings));
  for (ExportJob* job : batch) KB_TRY(Renumber(settings, *job, way.format));
  const ChangeRecord record{
      "backup-export", "", "",
      "token " + access.config().name + ", " + std::to_string(batch.size()) + " keys"};
  KB_TRY(Recorded(change, record, [&] {
    return way.format == backup::FileFormat::kCms
               ? WrapToCertificates(access, batch, way.recipients, way.algorithm, &way.host_because)
               : WrapUnderPassword(settings, access, batch, way);
  }));
  WriteAll(batch, way, progress);
  for (ExportJob* job : batch) {
    if (job->begun) KB_TRY(PutDown(settings, access, change, *job));
    job->file.reset();  // on record: it stays, and need not be held open
  }
  return {};
}

void Report(const ExportJob& job, Answer& answer) {
  const auto& manifest = job.subject.manifest;
  if (!job.done) {
    answer.good = false;
    answer.notes.push_back(manifest.name + ": no backup was made: " + job.done.error().detail);
    answer.json["failed"].push_back({{"name", manifest.name},
                                     {"type", cryptoki::KeyTypeName(manifest.type)},
                                     {"message", job.done.error().detail}});
    return;
  }
  const BackupInput input{job.path, *job.bytes, backup::FileSha256(*job.bytes)};
  const Json json = BackupJson(input, job.backup, true);
  answer.text += "wrote and read back the backup of " + manifest.name + "\n" + BackupText(json) +
                 "  " + EmergencyWay(input.path, job.backup.format) + "\n";
  if (!job.subject.foreign_certificate.empty()) {
    answer.notes.push_back(manifest.name +
                           ": its backup has no certificate: " + ForeignText(job.subject));
  } else if (job.subject.chain.empty()) {
    answer.notes.push_back(manifest.name + " has no certificate yet: its backup has none either");
  }
  answer.json["backups"].push_back(json);
}

// ReportNotBegun says how far the command came that was asked to end.
void ReportNotBegun(const std::vector<ExportJob>& jobs, Answer& answer) {
  answer.json["interrupted"] = false;
  answer.json["not_begun"] = Json::array();
  for (const ExportJob& job : jobs) {
    if (!job.begun) answer.json["not_begun"].push_back(job.subject.manifest.name);
  }
  const size_t left = answer.json["not_begun"].size();
  if (left == 0) return;
  answer.good = false;
  answer.json["interrupted"] = true;
  answer.notes.push_back("interrupted: " + std::to_string(answer.json["backups"].size()) + " of " +
                         std::to_string(jobs.size()) +
                         " keys are backed up, each file whole, read back and on record; of the "
                         "other " +
                         std::to_string(left) + " nothing was written");
}

// NotesOnWay says what is to be known of CMS backups.
void NotesOnWay(const ExportWay& way, Answer& answer) {
  if (way.format != backup::FileFormat::kCms || answer.json["backups"].empty()) return;
  answer.json["content_key"] = way.host_because.empty() ? "token" : "host";
  if (way.host_because.empty()) return;
  answer.notes.push_back(
      "the content keys were made on this host, in locked memory of the token's "
      "process, because the token cannot make and wrap them itself (" +
      way.host_because + ")");
}

// NextSteps names file and key where there is one of each.
std::string NextSteps(const Json& backups, const ExportWay& way) {
  const bool one = backups.size() == 1;
  const std::string file = one ? ShellQuote(GetText(backups[0], "file")) : "FILE";
  if (way.format == backup::FileFormat::kCms) {
    return "next: copy it off this host, then keybroker drill " + file +
           " --recovery-key KEY, on a host of its own; until then it does not open the way to key "
           "seal";
  }
  return "next: copy it off this host, then keybroker drill " + file +
         ", then keybroker key seal " +
         (one ? ShellQuote(GetText(backups[0], "name")) + " --type " + GetText(backups[0], "type")
              : "NAME");
}

Result<Answer> Finish(const std::vector<ExportJob>& jobs, const std::vector<std::string>& left_out,
                      const std::string& token, const ExportWay& way) {
  Answer answer;
  answer.json = {{"token", token},
                 {"backups", Json::array()},
                 {"failed", Json::array()},
                 {"left_out", left_out}};
  for (const ExportJob& job : jobs) {
    if (job.begun) Report(job, answer);
  }
  ReportNotBegun(jobs, answer);
  if (!jobs.empty()) {
    for (std::string& note : DirectoryNotes(jobs.front().path)) {
      answer.notes.push_back(std::move(note));
    }
  }
  NotesOnWay(way, answer);
  for (const std::string& key : left_out) {
    answer.notes.push_back(key + " is not exportable, so no backup of it was made now");
  }
  if (jobs.empty()) answer.text = "no key of the token is exportable, so there was nothing to do\n";
  if (answer.json["backups"].empty()) return answer;
  answer.text.insert(0, "from the token \"" + token + "\"\n");
  answer.text += NextSteps(answer.json["backups"], way);
  return answer;
}

// PrepareWay reads the recovery certificates; a password is asked for once it is needed.
Result<ExportWay> PrepareWay(const config::Settings& settings, const ExportOptions& options) {
  ExportWay way;
  KB_ASSIGN(way.format, ChooseFormat(settings, options.format));
  KB_ASSIGN(way.algorithm, ParseEncryption(options.encryption));
  if (way.format == backup::FileFormat::kPkcs12) return way;
  if (options.generate || options.password.Given()) {
    return Fail(
        WrongUsage("a CMS backup has no password: it is for the recovery certificates of "
                   "[backup]"));
  }
  KB_ASSIGN(way.recipients, LoadRecoveryCertificates(settings, std::time(nullptr)));
  return way;
}

// PrepareToken takes the one token that has the keys that are named. What --all means depends on
// the token, which is named then where there are several.
Result<TokenAccess> PrepareToken(const config::Settings& settings, const ExportOptions& options) {
  if (options.choice.all) return TokenAccess::Prepare(settings, options.token);
  std::vector<KeyWish> wishes;
  for (const std::string& name : options.choice.names) {
    KB_ASSIGN(KeyWish wish, MakeWish(name, options.choice.type, options.choice.id));
    wishes.push_back(std::move(wish));
  }
  return PrepareForKeys(settings, options.token, wishes);
}

Status ExportAll(const config::Settings& settings, const TokenAccess& access,
                 std::vector<ExportJob>& jobs, ExportWay& way) {
  const Interruption interruption;
  ProgressLine progress(jobs.size(), "keys backed up");
  for (size_t at = 0; at < jobs.size() && !Interruption::Asked(); at += kBatch) {
    ExportBatch batch;
    for (size_t i = at; i < std::min(jobs.size(), at + kBatch); ++i) batch.push_back(&jobs[i]);
    const Status done = MakeBatch(settings, access, batch, way, progress);
    // Asked to end, it gives up the lock or the token that it was waiting for: no failure.
    if (done || Interruption::Asked()) continue;
    Error error = done.error();
    if (at > 0) {
      error.detail += ". Before that " + std::to_string(at) + " of " + std::to_string(jobs.size()) +
                      " keys were gone through; their backups are on record";
    }
    return Fail(std::move(error));
  }
  return {};
}

Result<Answer> Export(const Invocation& invocation, const ExportOptions& options) {
  if (options.choice.all == !options.choice.names.empty()) {
    return Fail(WrongUsage("name the keys to back up, or say --all"));
  }
  if (!options.choice.id.empty() && options.choice.names.size() != 1) {
    return Fail(WrongUsage("--id is one key's: name that one"));
  }
  if (!options.choice.type.empty()) KB_TRY(ParseType(options.choice.type));
  if (options.output == "-") {
    return Fail(WrongUsage("a backup goes to a file, which is read back: -o FILE or DIRECTORY"));
  }
  KB_TRY(ParseEncryption(options.encryption));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(ExportWay way, PrepareWay(settings, options));
  KB_ASSIGN(const auto access, PrepareToken(settings, options));
  std::vector<std::string> left_out;
  KB_ASSIGN(auto subjects, BackupSubjects(settings, access, options.choice, &left_out));
  KB_ASSIGN(auto jobs, Jobs(std::move(subjects), options.output, way.format));
  if (jobs.empty()) return Finish(jobs, left_out, access.config().name, way);
  if (way.format == backup::FileFormat::kPkcs12) {
    KB_ASSIGN(way.password, NewBackupPassword(settings, options.password, options.generate));
  }
  KB_TRY(ExportAll(settings, access, jobs, way));
  return Finish(jobs, left_out, access.config().name, way);
}

}  // namespace

void AddBackupExport(const Command& noun) {
  auto options = std::make_shared<ExportOptions>();
  const Command verb =
      noun.Verb("export",
                "write keys as files, for a password (PKCS#12) or for recovery keys (CMS); the key "
                "itself never leaves the token in the clear",
                "keybroker backup export mail.example.test -o /safe");
  verb.Arguments("NAME", options->choice.names, "key names; the current key of each type")
      .Flag("--all", options->choice.all, "every exportable key, older generations too")
      .Required("-o,--output", options->output, "the file, or the directory for files")
      .Option("--type", options->choice.type, "rsa or ec only")
      .Option("--id", options->choice.id,
              "CKA_ID in hexadecimal, for a generation that is not current")
      .Option("--format", options->format,
              "pkcs12: for who knows the password; cms: for who has the key of a recovery "
              "certificate, [backup] recipients; default: the first of [backup] formats")
      .Option("--encryption", options->encryption,
              "key-wrap (RFC 5649; opens in OpenSSL) or cbc (opens in NSS, Java and GnuTLS too); "
              "default: the first that the token can")
      .Flag("--generate", options->generate, "make the password, and show it once");
  AddPasswordOptions(verb, options->password);
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return Export(i, *options); });
}

}  // namespace keybroker::cli
