#include "cli/drill_listener/child.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "cli/run_readiness.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Wakes tells whether fd had something to read before the time was up.
bool Wakes(int fd, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    pollfd one{fd, POLLIN, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::max(left, milliseconds(0)).count()));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) return std::string("was ended by ") + ::strsignal(WTERMSIG(status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Result<DrillChild> DrillChild::Start(const RunCommand& command) {
  KB_ASSIGN(RunReadiness readiness, RunReadiness::Open());
  KB_ASSIGN(const pid_t pid, SpawnChild(command, readiness.childs()));
  DrillChild child(pid);
  readiness.KeepOurs();
  const auto until = Clock::now() + kDrillPatience;
  while (!readiness.Take()) {
    if (readiness.fd() < 0) {
      KB_TRY(child.Await());
      return Fail(Unavailable("it ended before it was ready"));
    }
    if (!Wakes(readiness.fd(), until)) return Fail(Unavailable("it does not get ready"));
  }
  return child;
}

DrillChild& DrillChild::operator=(DrillChild&& other) noexcept {
  if (this != &other) {
    static_cast<void>(Stop());
    pid_ = std::exchange(other.pid_, 0);
  }
  return *this;
}

Status DrillChild::Stop() {
  if (pid_ == 0) return {};
  // It is not reaped yet, so that its pid is nobody else's.
  ::kill(pid_, SIGTERM);
  return Await();
}

Status DrillChild::Await() {
  if (pid_ == 0) return {};
  const pid_t pid = std::exchange(pid_, 0);
  // glibc 2.36 declares pidfd_open(2) for C only.
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool ended = handle && Wakes(handle.get(), Clock::now() + kDrillPatience);
  if (!ended) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return Fail(SystemError("waitpid", errno));
  }
  if (!ended) return Fail(Unavailable("it did not end in time and was killed"));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Fail(Unavailable("it " + HowItEnded(status)));
}

}  // namespace keybroker::cli
