#include <unistd.h>

#include <ctime>
#include <memory>

#include "cli/backup_commands.h"
#include "cli/backup_input.h"
#include "cli/backup_opener.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

struct VerifyOptions {
  std::string file;
  OpenerOptions opener;
};

// Remember puts the verification on record, on a host that keeps records, when root asks: anybody
// who may read the file may verify it.
Status Remember(const config::Settings& settings, const BackupInput& input,
                const backup::Manifest& manifest, Answer& answer) {
  auto change = Change::Begin(settings);
  if (!change && ::geteuid() != 0) {
    answer.notes.push_back("no record of it was kept: " + change.error().detail);
    return {};
  }
  if (!change) return Fail(change.error());
  KB_TRY(RecordVerified(settings, {input.path, input.sha256, manifest}, std::time(nullptr)));
  return change->Record(
      {"backup-verify", manifest.name, Hex(manifest.id), RecordedFile(input.path, input.sha256)},
      {});
}

Answer Refused(const std::optional<config::Settings>& settings, const BackupInput& input,
               const backup::FileError& error) {
  Answer answer = RefusedBackup(input, error, settings);
  if (settings) RecordRefusal(*settings, "backup-verify", input, error, answer);
  return answer;
}

Result<Answer> Verify(const Invocation& invocation, const VerifyOptions& options) {
  KB_ASSIGN(const auto settings, SettingsIfAny(invocation));
  KB_ASSIGN(const BackupInput input, ReadBackupInput(options.file));
  // What the password cannot mend is said before it is asked for.
  const auto claim = backup::ReadBackup(input.bytes);
  if (!claim) return Refused(settings, input, claim.error());
  KB_ASSIGN(const auto opener, BackupOpener::Ask(options.opener, claim->format));
  const auto backup = opener.Open(input.bytes);
  if (!backup) return Refused(settings, input, backup.error());
  const Json json = BackupJson(input, *backup, true);
  const bool cms = backup->format == backup::FileFormat::kCms;
  Answer answer = MakeAnswer(
      (cms ? "verified: the recovery key opens it, and nothing was changed since its key signed "
             "it\n"
           : "verified: the password fits, and nothing was changed since it was written\n") +
          BackupText(json) + "that the key restores and signs is proved by: keybroker drill " +
          ShellQuote(input.path) + (cms ? " --recovery-key FILE" : ""),
      {{"backup", json}});
  answer.notes = BackupWarnings(*backup);
  if (!settings) {
    answer.notes.emplace_back("no record of it was kept: this host has no keybroker configuration");
    return answer;
  }
  KB_TRY(Remember(*settings, input, backup->manifest, answer));
  return answer;
}

}  // namespace

void AddBackupVerify(const Command& noun) {
  auto options = std::make_shared<VerifyOptions>();
  const Command verb =
      noun.Verb("verify",
                "check a backup file against its password or recovery key; needs no token. Exit "
                "status: 10 not a backup, 11 truncated, 12 damaged, 13 newer version, 14 key "
                "derivation over the cap, 15 wrong password or damaged, 19 not for this recovery "
                "key, 20 signature wrong",
                "keybroker backup verify /safe/mail.example.test.rsa.6f1e0b2c.1.p12");
  verb.Argument("FILE", options->file, "the backup");
  AddOpenerOptions(verb, options->opener);
  verb.Does([options](const Invocation& i) { return Verify(i, *options); });
}

}  // namespace keybroker::cli
