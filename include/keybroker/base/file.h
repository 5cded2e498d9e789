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

namespace keybroker {

// ReadFile reads a whole regular file of at most max_size bytes. Fails NotFound when it is absent,
// Malformed when it is larger or not a regular file.
Result<std::string> ReadFile(const std::filesystem::path& path, size_t max_size = 1 << 20);

// FileOwner is who a written file belongs to; -1 keeps the writing process's own id.
struct FileOwner {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
};

// SyncDirectoryOf puts the names beside file on the disk: a new or renamed file's name is there
// only when its directory is.
Status SyncDirectoryOf(const std::filesystem::path& file);

// Overwrite says what WriteFileAtomically does with a file that is already there.
enum class Overwrite { kReplace, kRefuse };

// StagedFile is a file written beside its final name and synced: whatever can fail for want of room
// or rights has happened. It is removed again unless it is published. Move-only.
class StagedFile {
 public:
  static Result<StagedFile> Write(const std::filesystem::path& path, std::string_view content,
                                  mode_t mode = 0644, FileOwner owner = {});
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;
  ~StagedFile();

  // Publish gives it its name and syncs the directory. kRefuse fails Conflict when path exists.
  Status Publish(Overwrite overwrite = Overwrite::kReplace);

 private:
  StagedFile(std::filesystem::path path, std::string beside)
      : path_(std::move(path)), beside_(std::move(beside)) {}

  std::filesystem::path path_;
  std::string beside_;  // empty: published, or moved from
};

// WriteFileAtomically writes beside, syncs file and directory, and renames: on any failure, a full
// disk included, path is what it was. kRefuse fails Conflict when path exists.
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view content,
                           mode_t mode = 0644, Overwrite overwrite = Overwrite::kReplace,
                           FileOwner owner = {});

}  // namespace keybroker
