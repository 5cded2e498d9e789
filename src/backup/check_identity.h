#pragma once

#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {

// CheckIdentity: manifest, public key and certificates must speak of one key, and each certificate
// be issued by the next.
FileResult<void> CheckIdentity(const Backup& backup);

// OddFile is the refusal of a structure that is not the format's.
tl::unexpected<FileError> OddFile(const std::string& what);

}  // namespace keybroker::backup
