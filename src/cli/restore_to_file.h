#pragma once

#include <string>

#include "cli/answer.h"
#include "cli/backup_input.h"
#include "keybroker/backup/backup_file.h"

namespace keybroker::cli {

// RestoreToFile writes the key of an opened backup in the clear, as PKCS#8 in PEM, mode 0600, to a
// file that must not exist: for a token that unwraps no key. Asks first, unless yes. A host without
// a configuration has no audit log either, and the answer says so.
Result<Answer> RestoreToFile(const std::optional<config::Settings>& settings,
                             const BackupInput& input, const backup::Backup& backup,
                             const Secret& kek, const std::string& path, bool yes);

}  // namespace keybroker::cli
