#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "cli/arriving_key.h"
#include "cli/backup_commands.h"
#include "cli/backup_input.h"
#include "cli/backup_opener.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/interruption.h"
#include "cli/listener_file.h"
#include "cli/note_arrived.h"
#include "cli/restore_on_token.h"
#include "cli/restore_to_file.h"
#include "cli/token_access.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

using backup::Backup;

struct RestoreOptions {
  TokenOptions token;
  OpenerOptions opener;
  std::string file;
  std::string to_file;
  bool yes = false;
  bool exportable = false;
};

Status CheckAllowed(const config::Settings& settings, const RestoreOptions& options) {
  if (!options.exportable || settings.backup_restore_exportable) return {};
  return Fail(
      Denied("the administrator does not allow restored keys to be exportable: "
             "restore_exportable in [backup] of " +
             settings.file.string() + " would"));
}

constexpr ArrivalWords kWords{"restored", "backup"};

// BindingsReport compares: what the manifest says grants nothing here.
void BindingsReport(const config::Settings& settings, const backup::Manifest& manifest,
                    Answer& answer) {
  answer.json["bindings"] = Json::array();
  for (const auto& binding : manifest.bindings) {
    const auto listener = LoadListener(settings, binding.listener);
    const bool bound =
        listener && std::any_of(listener->bindings.begin(), listener->bindings.end(),
                                [&](const policy::Binding& each) {
                                  return each.key == manifest.name &&
                                         each.type.value_or(manifest.type) == manifest.type;
                                });
    answer.json["bindings"].push_back({{"listener", binding.listener}, {"in_force", bound}});
    if (bound) {
      answer.text += "listener " + binding.listener + " may use it, as this host's file says\n";
    } else {
      answer.text += "listener " + binding.listener + " could use it when it was backed up, and " +
                     "cannot here: keybroker listener bind " + binding.listener + " " +
                     ShellQuote(manifest.name) + "\n";
    }
  }
}

void WarnOfNewer(const config::Settings& settings, const backup::Manifest& manifest,
                 Answer& answer) {
  const auto record = LoadBackupRecord(settings, Hex(manifest.id));
  if (!record || record->sequence <= manifest.sequence) return;
  answer.notes.push_back("a newer backup of this key is on record (number " +
                         std::to_string(record->sequence) + ", " + record->file +
                         "): its certificate may be newer too");
}

Result<Answer> Finish(const config::Settings& settings, Change& change, const BackupInput& input,
                      const Backup& backup, const Json& outcome, const std::string& token) {
  const auto& manifest = backup.manifest;
  const ArrivingKey arriving = ArrivingOf(backup);
  Answer answer = MakeAnswer(ArrivalText(outcome, arriving, token, kWords),
                             {{"file", input.path},
                              {"sha256", input.sha256},
                              {"token", token},
                              {"signed", true},  // what did not sign is an error
                              {"present", outcome["present"]},
                              {"completed", outcome["completed"]},
                              {"differences", outcome["differences"]},
                              {"key", outcome["key"]}});
  const ChangeRecord record{"backup-restore", manifest.name, Hex(manifest.id),
                            "token " + token +
                                (GetBool(outcome, "present") ? ", already there, " : ", ") +
                                RecordedFile(input.path, input.sha256)};
  answer.notes = BackupWarnings(backup);
  for (std::string& note : RemovedNotes(outcome)) answer.notes.push_back(std::move(note));
  WarnOfNewer(settings, manifest, answer);
  KB_ASSIGN(const bool is_new, NoteArrived(change, record, arriving, outcome, kWords, answer));
  if (is_new) {
    BindingsReport(settings, manifest, answer);
    answer.text +=
        "next, on a new host: keybroker listener config LISTENER --for PROGRAM writes "
        "its servers' references";
  }
  if (!GetBool(outcome, "present")) {
    KB_TRY(RecordProved(settings, {input.path, input.sha256, manifest}, std::time(nullptr)));
  }
  KB_TRY(change.Done(record, answer));
  return answer;
}

Answer Refused(const config::Settings& settings, const BackupInput& input,
               const backup::FileError& error) {
  Answer answer = RefusedBackup(input, error, settings);
  RecordRefusal(settings, "backup-restore", input, error, answer);
  return answer;
}

// ToFile needs neither token nor configuration.
Result<Answer> ToFile(const Invocation& invocation, const RestoreOptions& options) {
  if (options.exportable || !options.token.token.empty() || options.token.pin.Given()) {
    return Fail(
        WrongUsage("--to-file writes to a file instead of to a token: it excludes --token, "
                   "its PIN and --exportable"));
  }
  KB_ASSIGN(const auto settings, SettingsIfAny(invocation));
  const auto refused = [&](const BackupInput& input, const backup::FileError& error) {
    Answer answer = RefusedBackup(input, error, settings);
    if (settings) RecordRefusal(*settings, "backup-restore-to-file", input, error, answer);
    return answer;
  };
  KB_ASSIGN(const BackupInput input, ReadBackupInput(options.file));
  const auto claim = backup::ReadBackup(input.bytes);
  if (!claim) return refused(input, claim.error());
  KB_ASSIGN(const auto opener, BackupOpener::Ask(options.opener, claim->format));
  const auto backup = opener.Open(input.bytes);
  if (!backup) return refused(input, backup.error());
  KB_ASSIGN(const Secret kek, opener.Kek(*backup));
  return RestoreToFile(settings, input, *backup, kek, options.to_file, options.yes);
}

Result<Answer> Restore(const Invocation& invocation, const RestoreOptions& options) {
  if (!options.to_file.empty()) return ToFile(invocation, options);
  if (options.yes) return Fail(WrongUsage("--yes is for --to-file"));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_TRY(CheckAllowed(settings, options));
  KB_ASSIGN(const BackupInput input, ReadBackupInput(options.file));
  const auto claim = backup::ReadBackup(input.bytes);
  if (!claim) return Refused(settings, input, claim.error());
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  KB_ASSIGN(const auto opener, BackupOpener::Ask(options.opener, claim->format));
  const Interruption interruption;
  const auto backup = opener.Open(input.bytes);
  if (!backup) return Refused(settings, input, backup.error());
  KB_ASSIGN(const Secret kek, opener.Kek(*backup));
  if (Interruption::Asked()) return Fail(Conflict("interrupted: nothing was changed"));
  KB_ASSIGN(Change change, Change::Begin(settings));
  const ChangeRecord record{"backup-restore", backup->manifest.name, Hex(backup->manifest.id),
                            "token " + access.config().name + ", file " + input.path};
  KB_ASSIGN(const Json outcome, Recorded(change, record, [&] {
              return RestoreOnToken(access, *backup, kek, options.exportable);
            }));
  return Finish(settings, change, input, *backup, outcome, access.config().name);
}

}  // namespace

void AddBackupRestore(const Command& noun) {
  auto options = std::make_shared<RestoreOptions>();
  const Command verb =
      noun.Verb("restore",
                "put the key of a backup file on a token; it signs before it counts. Exit status "
                "for a file that is not right: as for verify",
                "keybroker backup restore /safe/mail.example.test.rsa.6f1e0b2c.1.p12 --token main");
  verb.Argument("FILE", options->file, "the backup")
      .Flag("--exportable", options->exportable,
            "let the key be backed up again from there; [backup] restore_exportable must allow it");
  verb.Option(
          "--to-file", options->to_file,
          "write the private key IN THE CLEAR to this new file instead, for the vendor's tool of a "
          "token that unwraps none; asks first")
      .Flag("--yes", options->yes, "do not ask before --to-file");
  AddOpenerOptions(verb, options->opener);
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return Restore(i, *options); });
}

}  // namespace keybroker::cli
