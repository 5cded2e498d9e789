#include "keybroker/ipc/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "keybroker/base/unique_fd.h"

namespace keybroker::ipc {
namespace {

Status MakeDirectories(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT || path.parent_path() == path) {
    return Fail(SystemError("cannot make the directory " + path.string(), errno));
  }
  KB_TRY(MakeDirectories(path.parent_path(), 0755));
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return Fail(SystemError("cannot make the directory " + path.string(), errno));
}

}  // namespace

Status EnsureDirectory(const std::filesystem::path& path, const Ownership& wanted) {
  KB_TRY(MakeDirectories(path, 0700));
  // From here on by descriptor: what the name means may change under us.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return Fail(SystemError("cannot open the directory " + path.string(), errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return Fail(SystemError("fstat " + path.string(), errno));
  const bool we_are_root = ::geteuid() == 0;
  if (info.st_uid != wanted.uid && !(we_are_root && info.st_uid == 0)) {
    return Fail(Denied("the directory " + path.string() + " belongs to uid " +
                       std::to_string(info.st_uid) + " and not to uid " +
                       std::to_string(wanted.uid) + ": move it away, and it is made anew"));
  }
  if ((info.st_uid != wanted.uid || info.st_gid != wanted.gid) &&
      ::fchown(fd.get(), wanted.uid, wanted.gid) != 0) {
    return Fail(SystemError("cannot give " + path.string() + " to uid " +
                                std::to_string(wanted.uid) + ", gid " + std::to_string(wanted.gid),
                            errno));
  }
  if ((info.st_mode & 07777) != wanted.mode && ::fchmod(fd.get(), wanted.mode) != 0) {
    return Fail(SystemError("cannot set the mode of " + path.string(), errno));
  }
  return {};
}

}  // namespace keybroker::ipc
