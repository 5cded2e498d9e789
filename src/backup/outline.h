#pragma once

#include <string_view>

#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {

// CheckOutline looks at a file's first bytes and its size: which format it is of, if any, and
// whether it is whole.
FileResult<FileFormat> CheckOutline(std::string_view bytes);

}  // namespace keybroker::backup
