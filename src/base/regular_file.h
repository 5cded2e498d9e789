#pragma once

#include <sys/stat.h>

#include <filesystem>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker {

// OpenRegular opens a file to read and sets info to what fstat says of it. Fails NotFound when it
// is absent, Denied when we may not, Malformed when it is no regular file.
Result<UniqueFd> OpenRegular(const std::filesystem::path& path, struct stat* info);

}  // namespace keybroker
