#include "cli/backup_commands.h"
#include "cli/commands.h"

namespace keybroker::cli {

void AddBackup(const Command& root) {
  const Command noun =
      root.Noun("backup", "keys as files for a password or for recovery keys, and back");
  AddBackupExport(noun);
  AddBackupInspect(noun);
  AddBackupVerify(noun);
  AddBackupRestore(noun);
  AddBackupCheck(noun);
  AddBackupRecord(noun);
}

}  // namespace keybroker::cli
