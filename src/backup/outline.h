#pragma once

#include <string_view>

#include "keybroker/backup/defect.h"

namespace keybroker::backup {

// CheckOutline looks at a file's first bytes and its size: whether it is a PKCS#12 file in DER at
// all, and whole.
FileResult<void> CheckOutline(std::string_view bytes);

}  // namespace keybroker::backup
