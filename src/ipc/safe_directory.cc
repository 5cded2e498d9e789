#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "keybroker/base/unique_fd.h"
#include "keybroker/ipc/directory.h"

namespace keybroker::ipc {
namespace {

namespace fs = std::filesystem;

Status CheckSafe(const struct stat& info, const fs::path& shown, bool last) {
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return Fail(Denied("the directory " + shown.string() + " belongs to uid " +
                       std::to_string(info.st_uid) +
                       ", who could replace the socket in it; give it to root"));
  }
  const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool sticky_of_root = (info.st_mode & S_ISVTX) != 0 && info.st_uid == 0 && !last;
  if (others_write && !sticky_of_root) {
    return Fail(Denied("the directory " + shown.string() +
                       " is writable by others than its owner, who could replace the socket in " +
                       "it; chmod go-w " + shown.string()));
  }
  return {};
}

// Step opens name below parent, making it when it is missing.
Result<UniqueFd> Step(int parent, const std::string& name, const fs::path& shown, bool in_jail) {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(::openat(parent, name.c_str(), kFlags));
  if (!fd && errno == ENOENT) {
    if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST) {
      return Fail(SystemError("cannot make the directory " + shown.string(), errno));
    }
    fd.Reset(::openat(parent, name.c_str(), kFlags));
  }
  if (fd) return fd;
  if (errno == ELOOP || errno == ENOTDIR) {
    return Fail(Denied(shown.string() + " is not a directory, so no socket can be made in it" +
                       (in_jail ? " (inside a jail no symbolic link may lead to the socket)" : "") +
                       "; move it away, and it is made anew"));
  }
  return Fail(SystemError("cannot open the directory " + shown.string(), errno));
}

// Resolved follows the symbolic links outside of the jail only.
Result<fs::path> Resolved(const fs::path& path, const fs::path& jail) {
  std::error_code error;
  const fs::path outside = fs::weakly_canonical(jail.empty() ? path : jail, error);
  if (error) return Fail(SystemError("cannot resolve " + path.string(), error.value()));
  if (jail.empty()) return outside;
  if (!fs::is_directory(outside, error)) {
    return Fail(NotFound("the jail " + jail.string() + " is not a directory; make it, or take it " +
                         "out of the listener's file"));
  }
  return outside / path.lexically_normal().lexically_relative(jail.lexically_normal());
}

}  // namespace

Result<fs::path> MakeSafeDirectory(const fs::path& path, const fs::path& jail) {
  KB_ASSIGN(const fs::path real, Resolved(path, jail));
  UniqueFd at(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return Fail(SystemError("cannot open /", errno));
  fs::path shown = "/";
  const fs::path relative = real.relative_path();
  for (auto part = relative.begin(); part != relative.end(); ++part) {
    if (part->empty() || *part == ".") continue;
    if (*part == "..") return Fail(Denied(path.string() + " leads out of its jail"));
    shown /= *part;
    KB_ASSIGN(at, Step(at.get(), part->string(), shown, !jail.empty()));
    struct stat info {};
    if (::fstat(at.get(), &info) != 0) return Fail(SystemError("fstat " + shown.string(), errno));
    KB_TRY(CheckSafe(info, shown, std::next(part) == relative.end()));
  }
  return real;
}

}  // namespace keybroker::ipc
