#include "cli/layout.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "keybroker/base/process.h"
#include "keybroker/token/pin_guard.h"

namespace keybroker::cli {
namespace {

// FileStem is a key name that any file system takes: "*" becomes "_", which no key name has.
std::string FileStem(std::string_view key) {
  std::string stem(key);
  if (!stem.empty() && stem[0] == '*') stem[0] = '_';
  return stem;
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

}  // namespace

Status MakeDirectory(const std::filesystem::path& path, const std::string& owner, mode_t mode) {
  KB_ASSIGN(const bool there, IsThere(path));
  if (there) return {};
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    if (errno == EACCES || errno == EPERM) {
      return Fail(Denied("cannot make the directory " + path.string() +
                         ": permission denied. Run this as root"));
    }
    return Fail(SystemError("cannot make the directory " + path.string(), errno));
  }
  if (::geteuid() == 0 && !owner.empty()) {
    KB_ASSIGN(const User user, FindUser(owner));
    if (::chown(path.c_str(), user.uid, user.gid) != 0) {
      return Fail(SystemError("cannot give " + path.string() + " to " + owner, errno));
    }
  }
  if (::chmod(path.c_str(), mode) != 0) return Fail(SystemError("chmod " + path.string(), errno));
  return {};
}

Status MakeStateDirectories(const config::Settings& settings) {
  KB_TRY(MakeDirectory(settings.state_dir, "", 0755));
  KB_TRY(MakeDirectory(settings.OperatorStateDir(), "", 0700));
  KB_TRY(MakeDirectory(settings.TokenStateDir(), settings.token_user, 0700));
  return MakeDirectory(token::PinGuardDirectory(settings), settings.token_user, 0700);
}

std::filesystem::path ChainFile(const config::Settings& settings, std::string_view key,
                                cryptoki::KeyType type, std::string_view id_hex) {
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

std::string ReferenceFileName(std::string_view key, cryptoki::KeyType type) {
  return FileStem(key) + "." + std::string(cryptoki::KeyTypeName(type)) + ".pem";
}

}  // namespace keybroker::cli
