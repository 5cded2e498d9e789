#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "keybroker/base/shell_quote.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/ipc/directory.h"

namespace keybroker::ipc {
namespace {

namespace fs = std::filesystem;

bool IsStrangers(const struct stat& info) { return info.st_uid != 0 && info.st_uid != ::geteuid(); }

bool OthersWrite(const struct stat& info) { return (info.st_mode & (S_IWGRP | S_IWOTH)) != 0; }

Status CheckSafe(const struct stat& info, const fs::path& shown, bool last) {
  if (IsStrangers(info)) {
    return Fail(Denied("the directory " + shown.string() + " belongs to uid " +
                       std::to_string(info.st_uid) +
                       ", who could replace what is in it; give it to root"));
  }
  const bool sticky_of_root = (info.st_mode & S_ISVTX) != 0 && info.st_uid == 0 && !last;
  if (OthersWrite(info) && !sticky_of_root) {
    return Fail(Denied("the directory " + shown.string() +
                       " is writable by others than its owner, who could replace what is in it; "
                       "chmod go-w " +
                       ShellQuote(shown.string())));
  }
  return {};
}

constexpr int kDirectory = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Step opens name below parent, making it when it is missing.
Result<UniqueFd> Step(int parent, const std::string& name, const fs::path& shown, bool in_jail) {
  UniqueFd fd(::openat(parent, name.c_str(), kDirectory));
  if (!fd && errno == ENOENT) {
    if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST) {
      return Fail(SystemError("cannot make the directory " + shown.string(), errno));
    }
    fd.Reset(::openat(parent, name.c_str(), kDirectory));
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

Status CheckSafe(int directory, const fs::path& shown, bool last) {
  struct stat info {};
  if (::fstat(directory, &info) != 0) return Fail(SystemError("fstat " + shown.string(), errno));
  return CheckSafe(info, shown, last);
}

// A link could lead elsewhere the next time.
Error NoRealPath(const fs::path& shown, const char* what) {
  return Denied(shown.string() + " is a symbolic link or no " + what +
                "; name the place by its real path (realpath tells it)");
}

Status CheckSafeRegular(int directory, const fs::path& path) {
  struct stat info {};
  if (::fstatat(directory, path.filename().c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return Fail(SystemError("cannot look at " + path.string(), errno));
  }
  if (!S_ISREG(info.st_mode)) return Fail(NoRealPath(path, "regular file"));
  if (IsStrangers(info)) {
    return Fail(Denied(path.string() + " belongs to uid " + std::to_string(info.st_uid) +
                       ", who could change it; give it to root"));
  }
  if (!OthersWrite(info)) return {};
  return Fail(Denied(path.string() + " is writable by others than its owner; chmod go-w " +
                     ShellQuote(path.string())));
}

}  // namespace

Status CheckSafeFile(const fs::path& file) {
  const fs::path path = fs::absolute(file);
  fs::path shown = "/";
  UniqueFd at(::open("/", kDirectory));
  if (!at) return Fail(SystemError("cannot open /", errno));
  const fs::path above = path.parent_path().relative_path();
  KB_TRY(CheckSafe(at.get(), shown, above.empty()));
  for (auto part = above.begin(); part != above.end(); ++part) {
    shown /= *part;
    at.Reset(::openat(at.get(), part->c_str(), kDirectory));
    if (!at && (errno == ELOOP || errno == ENOTDIR)) return Fail(NoRealPath(shown, "directory"));
    if (!at) return Fail(SystemError("cannot open the directory " + shown.string(), errno));
    KB_TRY(CheckSafe(at.get(), shown, std::next(part) == above.end()));
  }
  return CheckSafeRegular(at.get(), path);
}

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
    KB_TRY(CheckSafe(at.get(), shown, std::next(part) == relative.end()));
  }
  return real;
}

}  // namespace keybroker::ipc
