#include "keybroker/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/regular_file.h"

namespace keybroker {
namespace {

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
