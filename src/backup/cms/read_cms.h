#pragma once

#include <string_view>

#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {

// ReadCms is ReadBackup of a file whose outline is a CMS file's.
FileResult<Backup> ReadCms(std::string_view bytes);

}  // namespace keybroker::backup
