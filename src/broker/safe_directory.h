#pragma once

#include <sys/types.h>

#include <filesystem>

#include "keybroker/base/result.h"

namespace keybroker::broker {

// MakeSafeDirectory makes path and what is missing above it (0755, owner the process), and proves
// that nobody but root, this process and the user trusted can put something else in its place:
// every directory on the way belongs to one of them and is writable by no one else, except a
// sticky one of root's, such as /tmp, above it. Below jail (a directory above path, or empty)
// symbolic links are refused, because inside the chroot they point elsewhere.
// Denied says which directory is unsafe and what to do.
Status MakeSafeDirectory(const std::filesystem::path& path, uid_t trusted,
                         const std::filesystem::path& jail = {});

}  // namespace keybroker::broker
