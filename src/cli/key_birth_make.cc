#include <ctime>
#include <system_error>
#include <utility>

#include "cli/backup_export_job.h"
#include "cli/backup_input.h"
#include "cli/backup_record.h"
#include "cli/interruption.h"
#include "cli/key_birth.h"
#include "cli/key_birth_failure.h"
#include "cli/key_birth_scratch.h"
#include "cli/key_choice.h"
#include "cli/restore_on_token.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

// Making is one birth while it goes on.
struct Making {
  Change& change;
  const TokenAccess& access;
  const token::KeySpec& spec;
  const Birth& birth;
  const KeysCheck& check;
  ExportJob job;
  Json exposure;
};

// Generate makes the key, and puts on record where it was.
Result<Json> Generate(Making& making) {
  const std::string target = "for the token " + making.access.config().name;
  const ChangeRecord record{"key-generate-scratch", making.spec.label, "", target};
  KB_ASSIGN(Json made, Recorded(making.change, record, [&] {
              return GenerateOnScratch(making.spec, making.birth, making.job.kek);
            }));
  making.exposure = made["exposure"];
  KB_TRY(making.change.Record({record.action, record.key, GetText(made["key"], "id"),
                               target + ": " + ExposureText(making.exposure)},
                              {}));
  return made;
}

// FillJob puts together what goes into the file: the key as it will be on its token.
Status FillJob(Making& making, const Json& made) {
  const config::Settings& settings = making.change.settings();
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  Json key = made["key"];
  key["current"] = !current.ids.contains({making.spec.label, making.spec.type});
  KB_ASSIGN(making.job.subject, SubjectOf(settings, key, making.birth.token));
  const auto& manifest = making.job.subject.manifest;
  if (manifest.name != making.spec.label || manifest.type != making.spec.type) {
    return Fail(Internal("the scratch token's process gave another key than it was asked for"));
  }
  std::error_code none;  // what cannot be looked at is refused when it is written
  const auto& output = making.birth.output;
  making.job.path = std::filesystem::is_directory(output, none)
                        ? BackupPathIn(output, manifest, backup::FileFormat::kPkcs12)
                        : output;
  return TakeWrapped(made["wrapped"], &making.job);
}

std::string FileText(const Making& making) {
  return "token " + making.access.config().name + ", at birth, " +
         RecordedFile(making.job.path,
                      making.job.file ? backup::FileSha256(*making.job.bytes) : "none");
}

Status WriteFile(Making& making) {
  ExportJob& job = making.job;
  const auto& manifest = job.subject.manifest;
  const Status written = WriteJob(making.birth.password, &job);
  const Status recorded = making.change.Record(
      {"backup-export", manifest.name, Hex(manifest.id), FileText(making)}, written);
  const Status& outcome = written ? recorded : written;
  if (outcome || !job.file) return outcome;
  return Fail(WithoutFile(job, outcome.error()));
}

// Import restores the key out of the file as it is on the disk.
Result<Json> Import(const Making& making) {
  KB_ASSIGN(const auto input, ReadBackupInput(making.job.path));
  const auto backup = backup::OpenBackup(input.bytes, making.birth.password);
  if (!backup) return Fail(Internal("the backup just written: " + backup.error().detail));
  KB_ASSIGN(const Secret kek, backup::DeriveKek(making.birth.password, backup->kdf));
  return RestoreOnToken(making.access, *backup, kek, false, [&](LoggedIn& token) -> Status {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    return making.check(keys);
  });
}

Born Delivered(const Making& making, const Json& outcome) {
  const ExportJob& job = making.job;
  const BackupInput input{job.path, *job.bytes, backup::FileSha256(*job.bytes)};
  const SeenBackup seen{input.path, input.sha256, job.subject.manifest};
  Born born{outcome["key"], BackupJson(input, job.backup, true), making.exposure,
            DirectoryNotes(job.path)};
  born.notes.push_back(
      "the backup has no certificate, and cannot be made again with one: keep the "
      "certificate beside it once there is one");
  // The key is made, and its backup: a record that cannot be written is told, and no failure.
  const Status recorded = RecordExported(making.change.settings(), seen, std::time(nullptr));
  if (!recorded) {
    born.notes.push_back("its backup is not on record (" + recorded.error().detail +
                         "): `keybroker drill " + ShellQuote(input.path) + "` puts it there");
  }
  return born;
}

}  // namespace

Result<Born> MakeBorn(Change& change, const TokenAccess& access, const token::KeySpec& spec,
                      const Birth& birth, const KeysCheck& check) {
  const Interruption interruption;
  Making making{change, access, spec, birth, check, {}, {}};
  KB_TRY(DeriveJobKek(birth.password, change.settings().backup_iterations, &making.job));
  KB_ASSIGN(const Json made, Generate(making));
  KB_TRY(FillJob(making, made));
  // From the file on it goes to its end.
  if (Interruption::Asked()) {
    return Fail(Conflict("the command was asked to end: the key was forgotten, nothing is left"));
  }
  const Interruption::Finishing finishing;
  KB_TRY(WriteFile(making));
  const auto outcome = Import(making);
  if (outcome) return Delivered(making, *outcome);
  const auto& manifest = making.job.subject.manifest;
  const std::string file = FileText(making);
  Error error = NotBorn(access, making.job, outcome.error());
  // The failure that counts is the import's.
  static_cast<void>(
      change.Record({"backup-restore", manifest.name, Hex(manifest.id), file}, Fail(error)));
  return Fail(std::move(error));
}

}  // namespace keybroker::cli
