#include "keybroker/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "keybroker/base/process.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker {
namespace {

Error OpenError(const std::filesystem::path& path, int error) {
  const std::string what = "cannot read " + path.string();
  if (error == ENOENT || error == ENOTDIR) return NotFound(what + ": no such file");
  if (error == EACCES || error == EPERM) return Denied(what + ": permission denied");
  return SystemError(what, error);
}

Result<UniqueFd> OpenRegular(const std::filesystem::path& path, struct stat* info) {
  // O_NONBLOCK: a FIFO put in the file's place must not hang us.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Fail(OpenError(path, errno));
  if (::fstat(fd.get(), info) != 0) return Fail(SystemError("fstat " + path.string(), errno));
  if (!S_ISREG(info->st_mode)) return Fail(Malformed(path.string() + " is not a regular file"));
  return fd;
}

std::filesystem::path DirectoryOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// The old file, if there is one, is still whole: it is replaced by a finished one only.
Error CannotWrite(const std::string& name, int error) {
  Error made = SystemError("cannot write " + name, error);
  if (error == ENOSPC || error == EDQUOT) made.detail += ": make room";
  made.detail += "; what was there before is as it was";
  return made;
}

Error CannotWriteIn(const std::filesystem::path& directory, int error) {
  const std::string what = "cannot write in " + directory.string();
  if (error == ENOENT || error == ENOTDIR) return NotFound(what + ": there is no such directory");
  if (error == EACCES || error == EPERM) return Denied(what + ": permission denied");
  return CannotWrite("in " + directory.string(), error);
}

Status WriteAll(int fd, std::string_view content, const std::string& name) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(CannotWrite(name, errno));
    content.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Status SyncDirectoryOf(const std::filesystem::path& file) {
  const auto directory = DirectoryOf(file);
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    return Fail(SystemError("cannot sync the directory " + directory.string(), errno));
  }
  return {};
}

Result<std::string> ReadFile(const std::filesystem::path& path, size_t max_size) {
  struct stat info {};
  KB_ASSIGN(const UniqueFd fd, OpenRegular(path, &info));
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(SystemError("cannot read " + path.string(), errno));
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
    if (content.size() > max_size) {
      return Fail(
          Malformed(path.string() + " is larger than " + std::to_string(max_size) + " bytes"));
    }
  }
}

namespace {

// OwnName is the name of the user whom the process runs as.
std::string OwnName() {
  const std::string uid = std::to_string(::geteuid());
  const auto user = FindUser(uid);
  return user ? user->name : uid;
}

Error NotReadable(const std::filesystem::path& path) {
  // Whoever is no user of ours must not be told to make the PIN his.
  return Denied(
      "the user \"" + OwnName() + "\", as whom " + path.string() +
      " is read, may not. Run keybroker as root; if that is the tokenhost's user already, "
      "the file must be its: chown " +
      OwnName() + " " + path.string() +
      " (and each folder above must let that user through: namei -l " + path.string() +
      " shows them)");
}

}  // namespace

Result<Secret> ReadSecretFile(const std::filesystem::path& path) {
  struct stat info {};
  auto opened = OpenRegular(path, &info);
  if (!opened && opened.error().code == ErrorCode::kDenied) return Fail(NotReadable(path));
  KB_ASSIGN(const UniqueFd fd, std::move(opened));
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Fail(Denied(path.string() + " belongs to uid " + std::to_string(info.st_uid) +
                       ", and is read as the user \"" + OwnName() + "\", whose it must be: chown " +
                       OwnName() + " " + path.string()));
  }
  if ((info.st_mode & 077) != 0) {
    return Fail(
        Denied(path.string() + " is open to others than its owner: chmod 0600 " + path.string()));
  }
  KB_ASSIGN(Secret secret, Secret::Allocate(1024));
  size_t size = 0;
  while (size < secret.capacity()) {
    const auto room = secret.Buffer().subspan(size);
    const ssize_t n = ::read(fd.get(), room.data(), room.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(SystemError("cannot read " + path.string(), errno));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  if (size == secret.capacity())
    return Fail(Malformed(path.string() + " is too long for a secret"));
  secret.SetSize(size);
  size_t end = 0;
  while (end < size && secret.Expose()[end] != '\n' && secret.Expose()[end] != '\r') ++end;
  secret.Truncate(end);
  if (secret.empty()) return Fail(Malformed(path.string() + ": the first line is empty"));
  return secret;
}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : path_(std::move(other.path_)), beside_(std::exchange(other.beside_, {})) {}

StagedFile::~StagedFile() {
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

Result<StagedFile> StagedFile::Write(const std::filesystem::path& path, std::string_view content,
                                     mode_t mode, FileOwner owner) {
  const auto directory = DirectoryOf(path);
  std::string beside = (directory / ("." + path.filename().string() + ".XXXXXX")).string();
  const UniqueFd fd(::mkostemp(beside.data(), O_CLOEXEC));
  if (!fd) return Fail(CannotWriteIn(directory, errno));
  StagedFile staged(path, std::move(beside));
  KB_TRY(WriteAll(fd.get(), content, path.string()));
  // Owner before mode: until then only the writing process's user can open it.
  if ((owner.uid != static_cast<uid_t>(-1) || owner.gid != static_cast<gid_t>(-1)) &&
      ::fchown(fd.get(), owner.uid, owner.gid) != 0) {
    return Fail(SystemError("cannot give " + path.string() + " its owner", errno));
  }
  if (::fchmod(fd.get(), mode) != 0) return Fail(SystemError("fchmod " + path.string(), errno));
  if (::fsync(fd.get()) != 0) return Fail(CannotWrite(path.string(), errno));
  return staged;
}

// link(2) refuses an existing name, rename(2) replaces.
Status StagedFile::Publish(Overwrite overwrite) {
  const bool refuse = overwrite == Overwrite::kRefuse;
  const int result =
      refuse ? ::link(beside_.c_str(), path_.c_str()) : ::rename(beside_.c_str(), path_.c_str());
  if (result != 0) {
    if (errno == EEXIST) {
      return Fail(Conflict(path_.string() + " exists already; it was left as it is"));
    }
    return Fail(SystemError("cannot put " + path_.string() + " in place", errno));
  }
  if (refuse) ::unlink(beside_.c_str());
  beside_.clear();
  return SyncDirectoryOf(path_);
}

Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content, mode_t mode,
                           Overwrite overwrite, FileOwner owner) {
  KB_ASSIGN(StagedFile staged, StagedFile::Write(path, content, mode, owner));
  return staged.Publish(overwrite);
}

}  // namespace keybroker
