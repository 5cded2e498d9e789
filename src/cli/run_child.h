#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/run_backoff.h"
#include "cli/run_readiness.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// RunCommand is a program and its arguments, and what to call it in the log.
struct RunCommand {
  std::string name;
  std::vector<std::string> arguments;  // arguments[0] is the program's path
};

// SpawnChild forks and executes a command out of our session (LeaveSession), so that the terminal's
// signals go to the supervisor alone; SIGTERM when this process dies; notify, unless -1, is where
// it says that it is ready (ipc::Notify). For a process with one thread.
Result<pid_t> SpawnChild(const RunCommand& command, int notify);

// RunChild is one supervised program.
class RunChild {
 public:
  using Clock = std::chrono::steady_clock;

  RunChild(RunCommand command, Clock::time_point start)
      : command_(std::move(command)), due_(start) {}

  const std::string& name() const { return command_.name; }
  pid_t pid() const { return pid_; }  // 0: not running
  bool running() const { return pid_ != 0; }
  bool was_ready() const { return was_ready_; }

  // due is when to start it; nothing while it runs or when it is not wanted any more.
  std::optional<Clock::time_point> due() const;

  void Start(Clock::time_point now);

  // notify_fd is what to poll for TakeReadiness, which reads whether it said that it is ready; -1:
  // nothing more will come.
  int notify_fd() const { return readiness_.fd(); }
  void TakeReadiness();

  // Reload sends SIGHUP, now or as soon as it is ready to take one.
  void Reload();

  // Retire sends SIGTERM and has it not started again; Kill sends SIGKILL.
  void Retire();
  void Kill();
  bool retired() const { return retired_; }

  // Exited takes what waitpid said and plans the next start. False: it refused its configuration
  // before it was ever ready, so starting it again is of no use.
  bool Exited(int wait_status, Clock::time_point now);

 private:
  Result<pid_t> Spawn();

  RunCommand command_;
  RunReadiness readiness_;
  pid_t pid_ = 0;
  Clock::time_point due_;
  Clock::time_point started_{};
  RunBackoff backoff_;
  bool ready_ = false;
  bool was_ready_ = false;
  bool reload_wanted_ = false;
  bool retired_ = false;
};

}  // namespace keybroker::cli
