#include "cli/change.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "cli/interruption.h"
#include "cli/layout.h"
#include "keybroker/base/file.h"
#include "keybroker/base/process.h"
#include "keybroker/broker/admin_client.h"

namespace keybroker::cli {
namespace {

using namespace std::chrono_literals;
// A smartcard takes half a minute for an RSA key; who waits is told for whom, and can give up.
constexpr auto kLockPatience = 120s;
constexpr auto kLockSilence = 1s;
constexpr auto kLockPause = 50ms;

std::string Holder(int fd) {
  char text[128];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  return n > 0 ? " (" + std::string(text, static_cast<size_t>(n)) + ")" : std::string();
}

Result<UniqueFd> TakeLock(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd && errno == EACCES) {
    return Fail(Denied("cannot open " + path.string() + ": permission denied. Run this as root"));
  }
  if (!fd) return Fail(SystemError("cannot open " + path.string(), errno));
  const auto begun = std::chrono::steady_clock::now();
  bool said = false;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return Fail(SystemError("cannot lock " + path.string(), errno));
    }
    const auto waited = std::chrono::steady_clock::now() - begun;
    if (!said && waited >= kLockSilence) {
      PrintProgress("waiting for another keybroker command" + Holder(fd.get()) + " to end");
      said = true;
    }
    if (Interruption::Asked()) return Fail(Conflict("the command was asked to end"));
    if (waited >= kLockPatience) {
      return Fail(Conflict("another keybroker command" + Holder(fd.get()) +
                           " is changing things: nothing was done. Try again when it has ended"));
    }
    std::this_thread::sleep_for(kLockPause);
  }
  const std::string holder = "process " + std::to_string(::getpid());
  // For the message above only.
  if (::ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t n = ::pwrite(fd.get(), holder.data(), holder.size(), 0);
  }
  return fd;
}

}  // namespace

std::string RecordedFile(const std::string& path, const std::string& sha256) {
  return "sha256 " + sha256 + ", file " + path;
}

std::string OperatorName() {
  std::string uid = std::to_string(::getuid());
  if (auto login = ReadFile("/proc/self/loginuid", 64); login && !login->empty()) {
    if (*login != "4294967295") uid = *login;
  }
  const auto user = FindUser(uid);
  return user ? user->name : uid;
}

Error CutOff(const Error& error) {
  return Conflict(
      "the command was asked to end, and whether it was done is not known (" + error.detail +
      "). `keybroker key list` shows what the token holds, `keybroker doctor --tidy` removes what "
      "is left of a key that is none; run the same command again only if it was not done");
}

Result<Change> Change::Begin(const config::Settings& settings) {
  KB_TRY(MakeStateDirectories(settings));
  auto interruption = std::make_unique<Interruption>();
  KB_ASSIGN(UniqueFd lock, TakeLock(settings.OperatorStateDir() / "lock"));
  KB_ASSIGN(audit::Log log, audit::Log::Open(settings.OperatorAudit()));
  return Change(settings, std::move(interruption), std::move(lock), std::move(log));
}

Status Change::Record(const ChangeRecord& record, const Status& status) {
  const std::string operator_name = OperatorName();
  audit::Event event;
  event.action = record.action;
  event.subject = operator_name;
  event.uid = ::getuid();
  event.pid = ::getpid();
  event.key = record.key;
  event.key_id = record.key_id;
  event.result = status ? std::string_view("ok") : ErrorCodeName(status.error().code);
  event.detail = record.detail;
  KB_TRY(log_.Append(event));
  return log_.Sync();
}

Status Change::Done(const ChangeRecord& record, Answer& answer) {
  if (const Status recorded = Record(record, {}); !recorded) {
    return Fail(Internal(record.action + " was done, but its audit record could not be written: " +
                         recorded.error().detail));
  }
  const auto reloaded = broker::AskBroker(settings_, wire::AdminVerb::kReload, {});
  answer.json["broker_reloaded"] = reloaded.has_value();
  if (reloaded) return {};
  if (reloaded.error().code == ErrorCode::kUnavailable ||
      reloaded.error().code == ErrorCode::kNotFound) {
    answer.notes.push_back("no broker is running: this takes effect when it starts");
  } else {
    answer.good = false;
    answer.notes.push_back(
        "the change is written, but not in force: the broker goes on as before, because it " +
        std::string("could not read its files again: ") + reloaded.error().detail +
        "\nput that right, then run `keybroker reload`");
  }
  return {};
}

}  // namespace keybroker::cli
