#pragma once

#include <sys/types.h>

#include <chrono>
#include <utility>

#include "cli/run_child.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// kDrillPatience is how long anything of a drill may take. A limit, not a wait.
inline constexpr std::chrono::seconds kDrillPatience{20};

// DrillChild is a process that this one started, and ends: by SIGTERM, or by SIGKILL when it does
// not within kDrillPatience. Move-only.
class DrillChild {
 public:
  // Start runs a program of ours until it says READY=1 (ipc::Notify). Unavailable when it ends
  // before, or says nothing for so long.
  static Result<DrillChild> Start(const RunCommand& command);

  explicit DrillChild(pid_t pid) : pid_(pid) {}
  DrillChild(DrillChild&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  DrillChild& operator=(DrillChild&& other) noexcept;
  ~DrillChild() { static_cast<void>(Stop()); }

  pid_t pid() const { return pid_; }

  // Stop sends SIGTERM and waits for the end; Await only waits. Unavailable unless it ended with
  // exit code 0.
  Status Stop();
  Status Await();

 private:
  pid_t pid_;  // 0: none, or it has ended
};

}  // namespace keybroker::cli
