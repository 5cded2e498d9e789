#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <cerrno>
#include <string>
#include <utility>

#include "cli/child_channel.h"
#include "cli/interruption.h"
#include "cli/token_child.h"

namespace keybroker::cli {
namespace {

constexpr int kLookForSignalMs = 100;
constexpr unsigned kLooksBeforeKill = 20;  // two seconds from SIGTERM to SIGKILL
constexpr int kEndMs = 10'000;

Error Crashed(int signal, ChildKind kind) {
  if (Interruption::Asked() && (signal == SIGTERM || signal == SIGKILL)) {
    return Conflict("the token was still at work");
  }
  const std::string how =
      " was ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + "), ";
  if (kind == ChildKind::kFile) {
    return Malformed("the process that reads the file" + how +
                     "so the file is not taken. Nothing was changed");
  }
  return TokenFailed("the process that talks to the token" + how +
                     "most likely in the vendor's module. Look at the token with "
                     "`keybroker key list` before trying again");
}

}  // namespace

UserChild::UserChild(UserChild&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      ending_(other.ending_),
      told_(other.told_),
      looks_after_ending_(other.looks_after_ending_),
      pidfd_(std::move(other.pidfd_)),
      channel_(std::move(other.channel_)),
      words_(std::move(other.words_)) {}

UserChild::~UserChild() {
  if (pid_ == 0) return;
  End(true);
  static_cast<void>(Wait(ChildKind::kToken));
}

void UserChild::End(bool at_once) {
  const bool kill = at_once && ending_ == Ending::kKilled;
  ::kill(pid_, kill ? SIGKILL : SIGTERM);
}

// EndIfAsked: SIGTERM first, and SIGKILL for one that goes on all the same.
void UserChild::EndIfAsked() {
  if (Interruption::MustEnd()) {
    End(looks_after_ending_++ > kLooksBeforeKill);
  } else if (!told_ && Interruption::Asked()) {
    PrintProgress(
        "asked to end: what the token has begun is finished first. Asked again, it is given up");
    told_ = true;
  }
}

// AwaitText waits until there is something to read, and looks whether this process is asked to end,
// also when bytes come all the while. False: the child has ended, and whoever else holds its end of
// the channel will say nothing of use.
bool UserChild::AwaitText() {
  pollfd both[] = {{channel_.get(), POLLIN, 0}, {pidfd_.get(), POLLIN, 0}};
  for (;;) {
    const int ready = ::poll(both, 2, kLookForSignalMs);
    EndIfAsked();
    if (ready > 0) return both[0].revents != 0;
  }
}

Result<std::string> UserChild::Receive() {
  return ReceiveText(channel_.get(), [this] { return AwaitText(); });
}

// Wait gives one that has said all it has to say a while to end.
Status UserChild::Wait(ChildKind kind) {
  channel_.Reset();
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (pidfd_ && ending_ == Ending::kKilled && ::poll(&ended, 1, kEndMs) == 0) End(true);
  const pid_t pid = std::exchange(pid_, 0);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return Fail(SystemError("waitpid", errno));
  }
  words_.Print();
  if (WIFSIGNALED(status)) return Fail(Crashed(WTERMSIG(status), kind));
  return {};
}

Result<Json> UserChild::Await(const Answerer& answer, ChildKind kind) && {
  Result<std::string> text = Receive();
  // A question is a line, the result is not.
  while (text && !text->empty() && text->back() == '\n') {
    // One that does not listen any more has ended, which is seen next.
    static_cast<void>(SendText(channel_.get(), DumpText(Pack(answer(ParseReply(*text)))) + "\n"));
    text = Receive();
  }
  KB_TRY(Wait(kind));
  KB_TRY(text);
  return Unpack(*text);
}

}  // namespace keybroker::cli
