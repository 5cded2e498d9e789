#pragma once

#include "cli/command.h"

namespace keybroker::cli {

// One verb of the noun backup each; backup.cc puts them together.
void AddBackupExport(const Command& noun);
void AddBackupInspect(const Command& noun);
void AddBackupVerify(const Command& noun);
void AddBackupRestore(const Command& noun);
void AddBackupCheck(const Command& noun);
void AddBackupRecord(const Command& noun);

}  // namespace keybroker::cli
