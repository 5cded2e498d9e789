#include "base/regular_file.h"

#include <fcntl.h>

#include <cerrno>
#include <string>
#include <utility>

namespace keybroker {
namespace {

Error OpenError(const std::filesystem::path& path, int error) {
  const std::string what = "cannot read " + path.string();
  if (error == ENOENT || error == ENOTDIR) return NotFound(what + ": no such file");
  if (error == EACCES || error == EPERM) return Denied(what + ": permission denied");
  return SystemError(what, error);
}

}  // namespace

Result<UniqueFd> OpenRegular(const std::filesystem::path& path, struct stat* info) {
  // O_NONBLOCK: a FIFO put in the file's place must not hang us.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Fail(OpenError(path, errno));
  if (::fstat(fd.get(), info) != 0) return Fail(SystemError("fstat " + path.string(), errno));
  if (S_ISDIR(info->st_mode)) {
    return Fail(Malformed(path.string() + " is a directory: name a file"));
  }
  if (!S_ISREG(info->st_mode)) return Fail(Malformed(path.string() + " is not a regular file"));
  return fd;
}

}  // namespace keybroker
