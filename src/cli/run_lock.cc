#include "cli/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "cli/answer.h"
#include "cli/layout.h"
#include "keybroker/broker/admin_client.h"

namespace keybroker::cli {
namespace {

using namespace std::chrono_literals;

// A supervisor that was killed leaves a broker that is stopping.
constexpr auto kStoppingPatience = 5s;
constexpr auto kPause = 100ms;

std::string Holder(int fd) {
  char text[32];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  return n > 0 ? std::string(text, static_cast<size_t>(n)) : std::string("?");
}

Error AlreadyRuns(const config::Settings& settings, const std::string& pid) {
  return Conflict("already running as pid " + pid + " with the state_dir of " +
                  settings.file.string() +
                  ": `keybroker reload` has it read its files again, `kill " + pid + "` stops it");
}

Status CheckNoBroker(const config::Settings& settings) {
  const auto until = std::chrono::steady_clock::now() + kStoppingPatience;
  for (;;) {
    const auto status = broker::AskBroker(settings, wire::AdminVerb::kStatus);
    // One that may not be asked is no user's of ours: its sockets will tell.
    if (!status) return {};
    if (std::chrono::steady_clock::now() >= until) {
      const Json json = Json::parse(*status, nullptr, false);
      return Fail(Conflict("a broker serves " + settings.runtime_dir.string() +
                           " already, as pid " + std::to_string(GetNumber(json, "pid")) +
                           " (systemctl status keybrokerd?): stop that one first, or give this one "
                           "another runtime_dir"));
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Result<UniqueFd> TakeRunLock(const config::Settings& settings) {
  KB_TRY(MakeDirectory(settings.state_dir, "", 0755));
  KB_TRY(MakeDirectory(settings.OperatorStateDir(), "", 0700));
  const std::string path = (settings.OperatorStateDir() / "run.lock").string();
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && (errno == EACCES || errno == EPERM)) {
    return Fail(Denied("cannot open " + path +
                       ": permission denied. Run this as root, or with a --config whose state_dir "
                       "and runtime_dir are this user's own (`keybroker setup` writes one)"));
  }
  if (!fd) return Fail(SystemError("cannot open " + path, errno));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Fail(AlreadyRuns(settings, Holder(fd.get())));
    return Fail(SystemError("cannot lock " + path, errno));
  }
  KB_TRY(CheckNoBroker(settings));
  const std::string pid = std::to_string(::getpid());
  // For the message above only.
  if (::ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t n = ::pwrite(fd.get(), pid.data(), pid.size(), 0);
  }
  return fd;
}

}  // namespace keybroker::cli
