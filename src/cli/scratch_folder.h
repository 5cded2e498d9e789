#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/answer.h"
#include "cli/token_child.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"

namespace keybroker::cli {

// ScratchPlace says what a folder may hold: session objects never reach it, objects of a token do.
enum class ScratchPlace { kPreferMemory, kOnlyMemory };

// ScratchFolder is a folder (mode 0700) in /dev/shm, else /tmp, that is removed with all that is in
// it when this goes. Move-only.
class ScratchFolder {
 public:
  // Make gives it to `user`, a decimal uid, when we are root. Unavailable when it must be in memory
  // (tmpfs) and no such place is there.
  static Result<ScratchFolder> Make(ScratchPlace place, const std::string& user);
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  const std::filesystem::path& path() const { return path_; }

  // Remove removes it; Internal when it is still there.
  Status Remove();

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;  // empty: nothing to remove
};

// LeftScratchFolders are those whose process and command were both killed (by the kernel, say):
// that belong to a user of drills that no process runs as.
std::vector<std::filesystem::path> LeftScratchFolders();

// ScratchWork is done by a process that loads no vendor's module, in a folder of its own.
using ScratchWork = std::function<Result<Json>(const std::filesystem::path& folder,
                                               const std::vector<Secret>& secrets)>;

// ScratchChild does work, started by root, as a user that nothing else runs as: not the tokens'
// user, whose other processes, a vendor's module among them, could change what lies there. In a
// folder of that user's alone. It is removed whatever becomes of work and of this process: over
// there SIGTERM and its like are held back until it is gone, and where that process was killed it
// is removed here. Several may run side by side, each as a user of its own. Move-only.
class ScratchChild {
 public:
  static Result<ScratchChild> Start(ScratchPlace place, const std::vector<const Secret*>& secrets,
                                    const ScratchWork& work);

  const std::filesystem::path& folder() const { return folder_.path(); }

  // Await gives work's result; Internal when its folder is still there.
  Result<Json> Await() &&;

 private:
  ScratchChild(ScratchFolder folder, UserChild child)
      : folder_(std::move(folder)), child_(std::move(child)) {}

  ScratchFolder folder_;  // outlives the child
  UserChild child_;
};

// RunInScratchFolder is both.
Result<Json> RunInScratchFolder(ScratchPlace place, const std::vector<const Secret*>& secrets,
                                const ScratchWork& work);

}  // namespace keybroker::cli
