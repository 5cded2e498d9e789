#include "cli/run.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <list>
#include <utility>

#include "cli/run_child.h"
#include "cli/run_lock.h"
#include "cli/run_programs.h"
#include "keybroker/base/log.h"

namespace keybroker::cli {
namespace {

using Clock = RunChild::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{60'000};

// BlockedSignals takes our signals off by descriptor while it lives, and puts the mask back.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, &before_);
    fd_.Reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~BlockedSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  int fd() const { return fd_.get(); }

  // Next is the next signal, or 0.
  int Next() const {
    signalfd_siginfo info{};
    const bool got = ::read(fd_.get(), &info, sizeof info) == sizeof info;
    return got ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t before_;
  UniqueFd fd_;
};

class Supervisor {
 public:
  Supervisor(const config::Settings& settings, milliseconds stop_deadline, RunPrograms programs)
      : settings_(settings), stop_deadline_(stop_deadline), programs_(std::move(programs)) {}

  int Run(const std::vector<std::string>& tokens);

 private:
  void AddTokenhost(const std::string& token);
  void FollowTokens();
  void StartDue();
  void Wait(std::optional<Clock::time_point> until);
  void TakeSignals();
  void ReapChildren();
  void AnnounceOnce();
  void StopChildren(bool broker, Clock::time_point deadline);
  std::optional<Clock::time_point> NextDue() const;

  const config::Settings& settings_;
  const milliseconds stop_deadline_;
  const RunPrograms programs_;
  const BlockedSignals signals_;
  std::list<RunChild> children_;  // the broker first
  std::vector<std::pair<std::string, RunChild*>> tokenhosts_;
  bool stop_ = false;
  bool failed_ = false;
  bool announced_ = false;
};

void Supervisor::AddTokenhost(const std::string& token) {
  children_.emplace_back(programs_.Tokenhost(settings_, token), Clock::now());
  tokenhosts_.emplace_back(token, &children_.back());
}

int Supervisor::Run(const std::vector<std::string>& tokens) {
  children_.emplace_back(programs_.Broker(settings_), Clock::now());
  for (const std::string& token : tokens) AddTokenhost(token);
  if (tokens.empty()) {
    Log(LogLevel::kWarning, "there is no token in " + settings_.tokens_dir.string() +
                                ": add one with `keybroker token add`");
  }
  while (!stop_ && !failed_) {
    StartDue();
    Wait(NextDue());
    AnnounceOnce();
  }
  // The broker first, so that what it has in flight can still be signed.
  StopChildren(true, Clock::now() + stop_deadline_ / 2);
  StopChildren(false, Clock::now() + stop_deadline_ / 2);
  return failed_ ? 1 : 0;
}

void Supervisor::StartDue() {
  const auto now = Clock::now();
  for (RunChild& child : children_) {
    if (child.due() && *child.due() <= now) child.Start(now);
  }
}

std::optional<Clock::time_point> Supervisor::NextDue() const {
  std::optional<Clock::time_point> next;
  for (const RunChild& child : children_) {
    if (child.due() && (!next || *child.due() < *next)) next = child.due();
  }
  return next;
}

void Supervisor::Wait(std::optional<Clock::time_point> until) {
  int timeout_ms = -1;
  if (until) {
    const auto left = std::chrono::ceil<milliseconds>(*until - Clock::now());
    timeout_ms = static_cast<int>(std::clamp(left, milliseconds(0), kLongestWait).count());
  }
  std::vector<pollfd> fds{{signals_.fd(), POLLIN, 0}};
  for (const RunChild& child : children_) fds.push_back({child.notify_fd(), POLLIN, 0});
  if (::poll(fds.data(), fds.size(), timeout_ms) <= 0) return;
  TakeSignals();
  for (RunChild& child : children_) child.TakeReadiness();
}

void Supervisor::TakeSignals() {
  while (const int signal = signals_.Next()) {
    if (signal == SIGCHLD) {
      ReapChildren();
    } else if (signal == SIGHUP) {
      if (stop_ || failed_) continue;
      FollowTokens();
      ReapChildren();
      for (RunChild& child : children_) child.Reload();
    } else {
      stop_ = true;
    }
  }
}

void Supervisor::ReapChildren() {
  // By pid: a child that is not reaped keeps its pid, so no other process can be hit.
  for (auto child = children_.begin(); child != children_.end();) {
    int status = 0;
    if (child->running() && ::waitpid(child->pid(), &status, WNOHANG) == child->pid()) {
      if (!child->Exited(status, Clock::now())) failed_ = true;
    }
    if (child->retired() && !child->running()) {
      std::erase_if(tokenhosts_, [&](const auto& entry) { return entry.second == &*child; });
      child = children_.erase(child);
    } else {
      ++child;
    }
  }
}

void Supervisor::FollowTokens() {
  const auto names = RunTokenNames(settings_);
  if (!names) return LogError("tokens are left as they are", names.error());
  for (const auto& [token, child] : tokenhosts_) {
    if (std::find(names->begin(), names->end(), token) == names->end()) child->Retire();
  }
  for (const std::string& name : *names) {
    const bool known = std::any_of(tokenhosts_.begin(), tokenhosts_.end(), [&](const auto& entry) {
      return entry.first == name && !entry.second->retired();
    });
    if (!known) AddTokenhost(name);
  }
}

void Supervisor::AnnounceOnce() {
  const bool all = std::all_of(children_.begin(), children_.end(),
                               [](const RunChild& child) { return child.was_ready(); });
  if (announced_ || stop_ || failed_ || !all) return;
  announced_ = true;
  std::puts("keybroker: ready");
  std::fflush(stdout);
}

void Supervisor::StopChildren(bool broker, Clock::time_point deadline) {
  const auto concerned = [&](const RunChild& child) {
    return !broker || child.name() == "keybrokerd";
  };
  const auto left = [&] {
    return std::any_of(children_.begin(), children_.end(),
                       [&](const RunChild& child) { return concerned(child) && child.running(); });
  };
  for (RunChild& child : children_) {
    if (concerned(child)) child.Retire();
  }
  for (ReapChildren(); left(); ReapChildren()) {
    if (Clock::now() >= deadline) {
      for (RunChild& child : children_) {
        if (!concerned(child) || !child.running()) continue;
        Log(LogLevel::kWarning, child.name() + " does not stop and is killed");
        child.Kill();
      }
      deadline = Clock::now() + kLongestWait;
    }
    Wait(deadline);
  }
}

}  // namespace

int RunSupervisor(const config::Settings& settings, const RunOptions& options) {
  const auto programs = RunPrograms::Find(options.program_dir);
  if (!programs) {
    LogError("cannot run", programs.error());
    return 1;
  }
  const auto tokens = RunTokenNames(settings);
  if (!tokens) {
    LogError("cannot run", tokens.error());
    return 1;
  }
  if (options.check) return RunChecks(*programs, settings, *tokens) ? 0 : 1;
  const auto lock = TakeRunLock(settings);
  if (!lock) {
    LogError("cannot run", lock.error());
    return 1;
  }
  return Supervisor(settings, options.stop_deadline, *programs).Run(*tokens);
}

}  // namespace keybroker::cli
