#include <memory>

#include "cli/backup_commands.h"
#include "cli/backup_input.h"
#include "keybroker/base/printable.h"

namespace keybroker::cli {
namespace {

Result<Answer> Inspect(const std::string& file) {
  KB_ASSIGN(const BackupInput input, ReadBackupInput(file));
  const auto backup = backup::ReadBackup(input.bytes);
  if (!backup) return RefusedBackup(input, backup.error(), std::nullopt);
  Json json = BackupJson(input, *backup, false);
  Answer answer = MakeAnswer(
      "NOT VERIFIED: this is what the file says of itself; without its "
      "password anybody could have written it\n" +
          BackupText(json) + "next: keybroker backup verify " + EscapeUnprintable(input.path),
      {{"backup", json}});
  answer.notes = BackupWarnings(*backup);
  return answer;
}

}  // namespace

void AddBackupInspect(const Command& noun) {
  auto file = std::make_shared<std::string>();
  const Command verb =
      noun.Verb("inspect", "show what a backup file says of itself; needs no password",
                "keybroker backup inspect /safe/mail.example.test.rsa.6f1e0b2c.1.p12");
  verb.Argument("FILE", *file, "the backup");
  verb.Does([file](const Invocation&) { return Inspect(*file); });
}

}  // namespace keybroker::cli
