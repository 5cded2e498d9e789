#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker {

// ReadFile reads a whole regular file of at most max_size bytes. Fails NotFound when it is absent,
// Malformed when it is larger or not a regular file.
Result<std::string> ReadFile(const std::filesystem::path& path, size_t max_size = 1 << 20);

// FileOwner is who a written file belongs to; -1 keeps the writing process's own id.
struct FileOwner {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
};

// DirectoryOf is the directory that a file of that path is in, "." for a bare name.
std::filesystem::path DirectoryOf(const std::filesystem::path& path);

// IsInMemory tells whether what is written in directory never reaches a disk of its own accord:
// tmpfs and ramfs. False when it cannot be looked at.
bool IsInMemory(const std::filesystem::path& directory);

// SyncDirectoryOf puts the names beside file on the disk: a new or renamed file's name is there
// only when its directory is.
Status SyncDirectoryOf(const std::filesystem::path& file);

// Overwrite says what WriteFileAtomically does with a file that is already there.
enum class Overwrite { kReplace, kRefuse };

// StagedFile is a file written in the directory of its final name and synced: whatever can fail for
// want of room or rights has happened. It has no name until it is published, where the file system
// knows that (O_TMPFILE, open(2)), so that a process which is killed leaves nothing, but in the
// moment in which it has a hidden name beside the one that it is about to replace; elsewhere it has
// the hidden one from the start. It is removed again unless it is published. The directory is
// opened once: whoever exchanges it, or what leads to it, afterwards changes nothing about where
// the file is written and where it is removed. Move-only.
class StagedFile {
 public:
  static Result<StagedFile> Write(const std::filesystem::path& path, std::string_view content,
                                  mode_t mode = 0644, FileOwner owner = {});
  StagedFile(StagedFile&&) noexcept = default;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  // Publish gives it its name and syncs the directory. kRefuse fails Conflict when path exists.
  Status Publish(Overwrite overwrite = Overwrite::kReplace);

  // Retract removes the published file again, durably, unless somebody else has. Conflict when its
  // name is another file's, which stays.
  Status Retract();

 private:
  StagedFile(std::filesystem::path path, UniqueFd directory, UniqueFd file, std::string beside)
      : path_(std::move(path)),
        directory_(std::move(directory)),
        file_(std::move(file)),
        beside_(std::move(beside)) {}

  int Link(const std::string& name) const;  // 0, or -1 with errno, as Rename
  int Rename(const std::string& name);
  void Forget();  // removes the hidden name

  std::filesystem::path path_;
  UniqueFd directory_;
  UniqueFd file_;
  std::string beside_;  // its name in directory_, if it has one, until it is published
};

// WriteFileAtomically writes beside, syncs file and directory, and renames: on any failure, a full
// disk included, path is what it was. kRefuse fails Conflict when path exists.
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content,
                           mode_t mode = 0644, Overwrite overwrite = Overwrite::kReplace,
                           FileOwner owner = {});

}  // namespace keybroker
