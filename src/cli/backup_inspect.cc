#include <memory>

#include "cli/backup_commands.h"
#include "cli/backup_input.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

Result<Answer> Inspect(const std::string& file) {
  KB_ASSIGN(const BackupInput input, ReadBackupInput(file));
  const auto backup = backup::ReadBackup(input.bytes);
  if (!backup) return RefusedBackup(input, backup.error(), std::nullopt);
  Json json = BackupJson(input, *backup, false);
  const bool cms = backup->format == backup::FileFormat::kCms;
  const std::string says =
      cms ? "NOT VERIFIED: this is what the file says of itself. It is signed by the key that it "
            "names, and was not changed since; whether that is your key, its public key tells, and "
            "whether the key is in it, a drill\n"
          : "NOT VERIFIED: this is what the file says of itself; without its "
            "password anybody could have written it\n";
  Answer answer = MakeAnswer(says + BackupText(json) + "next: keybroker backup verify " +
                                 ShellQuote(input.path) + (cms ? " --recovery-key FILE" : ""),
                             {{"backup", json}});
  answer.notes = BackupWarnings(*backup);
  return answer;
}

}  // namespace

void AddBackupInspect(const Command& noun) {
  auto file = std::make_shared<std::string>();
  const Command verb =
      noun.Verb("inspect", "show what a backup file says of itself; needs no password or key",
                "keybroker backup inspect /safe/mail.example.test.rsa.6f1e0b2c.1.p12");
  verb.Argument("FILE", *file, "the backup");
  verb.Does([file](const Invocation&) { return Inspect(*file); });
}

}  // namespace keybroker::cli
