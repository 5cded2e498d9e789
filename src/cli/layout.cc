#include "cli/layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "keybroker/base/hex.h"
#include "keybroker/base/process.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {
namespace {

// FileStem is a key name that any file system takes: "*" becomes "_", which no key name has.
std::string FileStem(std::string_view key) {
  if (!policy::CheckKeyName(key)) throw std::invalid_argument("a key name that is none");
  std::string stem(key);
  if (!stem.empty() && stem[0] == '*') stem[0] = '_';
  return stem;
}

Error CannotMake(const std::filesystem::path& path, int error) {
  if (error == EACCES || error == EPERM) {
    return Denied("cannot make the directory " + path.string() +
                  ": permission denied. Run this as root");
  }
  return SystemError("cannot make the directory " + path.string(), error);
}

Result<bool> IsThere(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return false;
    if (errno == EACCES) {
      return Fail(
          Denied("cannot look at " + path.string() + ": permission denied. Run this as root"));
    }
    return Fail(SystemError("cannot look at " + path.string(), errno));
  }
  if (!S_ISDIR(info.st_mode)) {
    return Fail(Conflict(path.string() + " is not a directory: move it away"));
  }
  return true;
}

// CheckOursAlone: whoever else could write to parent could put something of his in the place of
// what we make there, and have root give it away.
Status CheckOursAlone(int parent, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(parent, &info) != 0) return Fail(SystemError("fstat " + path.string(), errno));
  const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (info.st_uid == ::geteuid() && (!others_write || (info.st_mode & S_ISVTX) != 0)) return {};
  return Fail(Denied("cannot give a directory in " + path.string() +
                     " to another user: root alone may write to a place where root does that. "
                     "Run chown root and chmod go-w on it, or make the directory by hand"));
}

// Dress works on the directory that was made, whatever its name means meanwhile.
Status Dress(int parent, const std::filesystem::path& path, const User* owner, mode_t mode) {
  const UniqueFd made(
      ::openat(parent, path.filename().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made) return Fail(SystemError("cannot open " + path.string(), errno));
  struct stat info {};
  if (::fstat(made.get(), &info) != 0) return Fail(SystemError("fstat " + path.string(), errno));
  if (info.st_uid != ::geteuid()) {
    return Fail(Conflict(path.string() + " was replaced while it was made: look who writes to " +
                         path.parent_path().string()));
  }
  if (owner != nullptr && ::fchown(made.get(), owner->uid, owner->gid) != 0) {
    return Fail(SystemError("cannot give " + path.string() + " to " + owner->name, errno));
  }
  if (::fchmod(made.get(), mode) != 0) return Fail(SystemError("chmod " + path.string(), errno));
  return {};
}

}  // namespace

Status MakeDirectory(const std::filesystem::path& wanted, const std::string& owner, mode_t mode) {
  KB_ASSIGN(const bool there, IsThere(wanted));
  if (there) return {};
  auto path = std::filesystem::absolute(wanted).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  std::optional<User> user;
  if (::geteuid() == 0 && !owner.empty()) {
    KB_ASSIGN(user, FindUser(owner));
  }
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const UniqueFd parent(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!parent) return Fail(CannotMake(path, errno));
  if (user) KB_TRY(CheckOursAlone(parent.get(), path.parent_path()));
  if (::mkdirat(parent.get(), path.filename().c_str(), 0700) != 0) {
    if (errno != EEXIST) return Fail(CannotMake(path, errno));
    KB_TRY(IsThere(path));  // another command's, which dresses it
    return {};
  }
  return Dress(parent.get(), path, user ? &*user : nullptr, mode);
}

Status MakeStateDirectories(const config::Settings& settings) {
  KB_TRY(MakeDirectory(settings.state_dir, "", 0755));
  KB_TRY(MakeDirectory(settings.OperatorStateDir(), "", 0700));
  // What is inside belongs to the token's user, whose processes make it (PinGuard).
  KB_TRY(MakeDirectory(settings.TokenStateDir(), settings.token_user, 0700));
  if (::access(settings.TokenStateDir().c_str(), W_OK | X_OK) == 0 || errno != EACCES) {
    return {};
  }
  return Fail(Denied("cannot work in " + settings.TokenStateDir().string() +
                     ": permission denied. Run this as root"));
}

void CheckFileId(std::string_view id_hex) {
  const auto id = ParseHex(id_hex);
  if (!id || id->empty()) throw std::invalid_argument("a CKA_ID that is none");
}

std::filesystem::path ChainFile(const config::Settings& settings, std::string_view key,
                                cryptoki::KeyType type, std::string_view id_hex) {
  CheckFileId(id_hex);
  return settings.file.parent_path() / "chains" /
         (FileStem(key) + "." + std::string(cryptoki::KeyTypeName(type)) + "." +
          std::string(id_hex) + ".pem");
}

std::filesystem::path ReferenceFile(const config::Settings& settings, std::string_view key,
                                    cryptoki::KeyType type, std::string_view listener) {
  const auto directory = settings.file.parent_path() / "references";
  const std::string name = ReferenceFileName(key, type);
  return listener.empty() ? directory / name : directory / listener / name;
}

std::filesystem::path ListenerDirectory(const config::Settings& settings,
                                        std::string_view listener) {
  return settings.file.parent_path() / "listeners" / listener;
}

std::string ReferenceFileName(std::string_view key, cryptoki::KeyType type) {
  return FileStem(key) + "." + std::string(cryptoki::KeyTypeName(type)) + ".pem";
}

}  // namespace keybroker::cli
