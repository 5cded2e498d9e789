#include "keybroker/base/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/regular_file.h"
#include "keybroker/base/hex.h"

namespace keybroker {
namespace {

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

// HiddenName is one that nobody can foresee. Empty, with errno, without randomness.
std::string HiddenName(const std::string& name) {
  uint8_t random[6];
  if (::getentropy(random, sizeof random) != 0) return {};
  return "." + name + "." + Hex(random);
}

// PathOf is what names an open file without a name: linkat(2). It leads nowhere without /proc.
std::string PathOf(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// MakeBeside makes a file in directory that nobody else opens: without a name, or with the one in
// *beside. Empty, with errno, when it cannot.
UniqueFd MakeBeside(int directory, const std::string& name, std::string* beside) {
  UniqueFd nameless(::openat(directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (nameless && ::access(PathOf(nameless.get()).c_str(), F_OK) == 0) return nameless;
  *beside = HiddenName(name);
  if (beside->empty()) return UniqueFd();
  return UniqueFd(::openat(directory, beside->c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                           S_IRUSR | S_IWUSR));
}

Status SyncDirectory(int directory, const std::filesystem::path& name) {
  if (::fsync(directory) == 0) return {};
  return Fail(SystemError("cannot sync the directory " + name.string(), errno));
}

}  // namespace

std::filesystem::path DirectoryOf(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

bool IsInMemory(const std::filesystem::path& directory) {
  struct statfs info {};
  return ::statfs(directory.c_str(), &info) == 0 &&
         (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC);
}

Status SyncDirectoryOf(const std::filesystem::path& file) {
  const auto directory = DirectoryOf(file);
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return Fail(SystemError("cannot open the directory " + directory.string(), errno));
  return SyncDirectory(fd.get(), directory);
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

StagedFile::~StagedFile() { Forget(); }

void StagedFile::Forget() {
  if (directory_ && !beside_.empty()) ::unlinkat(directory_.get(), beside_.c_str(), 0);
  beside_.clear();
}

Result<StagedFile> StagedFile::Write(const std::filesystem::path& path, std::string_view content,
                                     mode_t mode, FileOwner owner) {
  const auto parent = DirectoryOf(path);
  if (!path.has_filename()) return Fail(Malformed(path.string() + " names a directory, no file"));
  UniqueFd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return Fail(CannotWriteIn(parent, errno));
  std::string beside;
  UniqueFd file = MakeBeside(directory.get(), path.filename().string(), &beside);
  if (!file) return Fail(CannotWriteIn(parent, errno));
  StagedFile staged(path, std::move(directory), std::move(file), std::move(beside));
  const int fd = staged.file_.get();
  KB_TRY(WriteAll(fd, content, path.string()));
  // Owner before mode: until then only the writing process's user can open it.
  if ((owner.uid != static_cast<uid_t>(-1) || owner.gid != static_cast<gid_t>(-1)) &&
      ::fchown(fd, owner.uid, owner.gid) != 0) {
    return Fail(SystemError("cannot give " + path.string() + " its owner", errno));
  }
  if (::fchmod(fd, mode) != 0) return Fail(SystemError("fchmod " + path.string(), errno));
  if (::fsync(fd) != 0) return Fail(CannotWrite(path.string(), errno));
  return staged;
}

// linkat(2) refuses an existing name, renameat(2) replaces.
int StagedFile::Link(const std::string& name) const {
  return beside_.empty()
             ? ::linkat(AT_FDCWD, PathOf(file_.get()).c_str(), directory_.get(), name.c_str(),
                        AT_SYMLINK_FOLLOW)
             : ::linkat(directory_.get(), beside_.c_str(), directory_.get(), name.c_str(), 0);
}

int StagedFile::Rename(const std::string& name) {
  if (beside_.empty()) {
    const std::string hidden = HiddenName(name);
    if (hidden.empty() || Link(hidden) != 0) return -1;
    beside_ = hidden;
  }
  if (::renameat(directory_.get(), beside_.c_str(), directory_.get(), name.c_str()) != 0) return -1;
  beside_.clear();
  return 0;
}

Status StagedFile::Publish(Overwrite overwrite) {
  const std::string name = path_.filename().string();
  if ((overwrite == Overwrite::kRefuse ? Link(name) : Rename(name)) != 0) {
    if (errno == EEXIST) {
      return Fail(Conflict(path_.string() + " exists already; it was left as it is"));
    }
    return Fail(SystemError("cannot put " + path_.string() + " in place", errno));
  }
  Forget();
  return SyncDirectory(directory_.get(), DirectoryOf(path_));
}

Status StagedFile::Retract() {
  const std::string name = path_.filename().string();
  struct stat own {};
  struct stat there {};
  const bool seen = ::fstat(file_.get(), &own) == 0 &&
                    ::fstatat(directory_.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (!seen && errno == ENOENT) return SyncDirectory(directory_.get(), DirectoryOf(path_));
  if (!seen) return Fail(SystemError("cannot look at " + path_.string(), errno));
  if (own.st_dev != there.st_dev || own.st_ino != there.st_ino) {
    return Fail(Conflict(path_.string() + " is another file by now, which was left"));
  }
  if (::unlinkat(directory_.get(), name.c_str(), 0) != 0) {
    return Fail(SystemError("cannot remove " + path_.string(), errno));
  }
  return SyncDirectory(directory_.get(), DirectoryOf(path_));
}

Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content, mode_t mode,
                           Overwrite overwrite, FileOwner owner) {
  KB_ASSIGN(StagedFile staged, StagedFile::Write(path, content, mode, owner));
  return staged.Publish(overwrite);
}

}  // namespace keybroker
