#include "cli/run_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "keybroker/base/log.h"
#include "keybroker/base/process.h"
#include "keybroker/ipc/notify.h"

namespace keybroker::cli {
namespace {

using std::chrono::milliseconds;

constexpr int kExitWrongUse = 64;  // EX_USAGE
constexpr int kExitConfig = 78;    // EX_CONFIG
constexpr int kExitNoExec = 127;   // as a shell says it

std::string DescribeExit(int status) {
  if (WIFSIGNALED(status)) {
    return std::string("was ended by signal ") + std::to_string(WTERMSIG(status)) + " (" +
           strsignal(WTERMSIG(status)) + ")";
  }
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

// BecomeProgram is the child's side of SpawnChild.
[[noreturn]] void BecomeProgram(const RunCommand& command, int notify, pid_t parent) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  if (::getppid() != parent) ::_exit(0);  // it died before the line above
  if (const Status left = LeaveSession(notify); !left) {
    LogError("cannot run " + command.name, left.error());
    ::_exit(1);
  }
  for (const char* name :
       {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", ipc::kNotifyFd}) {
    ::unsetenv(name);
  }
  if (notify >= 0) {
    ::fcntl(notify, F_SETFD, 0);
    ::setenv(ipc::kNotifyFd, std::to_string(notify).c_str(), 1);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  LogError("cannot run " + command.name, SystemError(command.arguments[0], errno));
  ::_exit(kExitNoExec);
}

}  // namespace

Result<pid_t> SpawnChild(const RunCommand& command, int notify) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) BecomeProgram(command, notify, parent);
  if (pid < 0) return Fail(SystemError("fork", errno));
  return pid;
}

std::optional<RunChild::Clock::time_point> RunChild::due() const {
  if (running() || retired_) return std::nullopt;
  return due_;
}

void RunChild::Start(Clock::time_point now) {
  ready_ = false;
  reload_wanted_ = false;
  started_ = now;
  const auto pid = Spawn();
  readiness_.KeepOurs();
  if (pid) {
    pid_ = *pid;
    return;
  }
  due_ = now + backoff_.Next(milliseconds(0));
  LogError("cannot start " + name(), pid.error());
}

Result<pid_t> RunChild::Spawn() {
  KB_ASSIGN(readiness_, RunReadiness::Open());
  return SpawnChild(command_, readiness_.childs());
}

void RunChild::TakeReadiness() {
  if (!readiness_.Take()) return;
  ready_ = was_ready_ = true;
  if (std::exchange(reload_wanted_, false)) Reload();
}

void RunChild::Reload() {
  // Before it is ready a SIGHUP could still kill it.
  if (running() && ready_) {
    ::kill(pid_, SIGHUP);
  } else {
    reload_wanted_ = true;
  }
}

void RunChild::Retire() {
  retired_ = true;
  if (running()) ::kill(pid_, SIGTERM);
}

void RunChild::Kill() {
  if (running()) ::kill(pid_, SIGKILL);
}

bool RunChild::Exited(int wait_status, Clock::time_point now) {
  TakeReadiness();  // who said it and then died at once was ready
  const pid_t pid = std::exchange(pid_, 0);
  if (retired_) return true;
  const std::string what =
      name() + " (pid " + std::to_string(pid) + ") " + DescribeExit(wait_status);
  const int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
  if (!was_ready_ && (code == kExitConfig || code == kExitWrongUse || code == kExitNoExec)) {
    Log(LogLevel::kError, what + ": it will not start until what it said above is put right");
    return false;
  }
  const auto wait = backoff_.Next(std::chrono::duration_cast<milliseconds>(now - started_));
  due_ = now + wait;
  Log(LogLevel::kWarning,
      what + "; it is started again in " + std::to_string(wait.count()) + " ms");
  return true;
}

}  // namespace keybroker::cli
