#pragma once

#include <sys/types.h>

#include <filesystem>

#include "keybroker/base/result.h"

namespace keybroker::ipc {

// MakeSafeDirectory makes path and what is missing above it (0755, owner the process), and proves
// that nobody but root and this process's user can put something else in its place: every
// directory on the way belongs to one of them and is writable by no one else, except a sticky one
// of root's, such as /tmp, above it. So what root binds and gives away there is not another user's
// to choose, the broker's included. Below jail (a directory above path, or empty) symbolic links
// are refused, because inside the chroot they point elsewhere; outside they are followed once, and
// the path without them is returned, which is the one to use: a link may lie where others write.
// Denied says which directory is unsafe and what to do.
Result<std::filesystem::path> MakeSafeDirectory(const std::filesystem::path& path,
                                                const std::filesystem::path& jail = {});

// CheckSafeFile proves that what file names is nobody's to choose but root's and this process's
// user's: no part of its path is a symbolic link, and the file, a regular one, and every directory
// above it are theirs and safe as with MakeSafeDirectory. So it may be opened by that path again,
// as often as needed. Denied says what is unsafe and what to do.
Status CheckSafeFile(const std::filesystem::path& file);

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

}  // namespace keybroker::ipc
