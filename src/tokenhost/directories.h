#pragma once

#include <sys/types.h>

#include <filesystem>

#include "keybroker/base/result.h"

namespace keybroker::tokenhost {

// Ownership is what a directory of ours must have.
struct Ownership {
  uid_t uid;
  gid_t gid;
  mode_t mode;
};

// EnsureDirectory makes path a directory with that ownership. A missing one is created (missing
// parents too, mode 0755). One that root made is handed over when we are root; one that belongs to
// anybody else, or is a symbolic link, is refused with Denied: who owns it could swap its content.
Status EnsureDirectory(const std::filesystem::path& path, const Ownership& wanted);

}  // namespace keybroker::tokenhost
