#include "cli/token_child.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "cli/child_channel.h"
#include "cli/interruption.h"
#include "keybroker/base/process.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/profile.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

// TakeSignals: whatever the parent holds back, this process can be ended.
void TakeSignals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// AskParent is a child's side of a question.
Result<Json> AskParent(int fd, const Json& question) {
  if (!SendText(fd, DumpText(question) + "\n"))
    return Fail(Internal("the command does not listen"));
  KB_ASSIGN(const std::string answer, ReceiveText(fd, [] { return true; }));
  if (answer.empty()) return Fail(Internal("the command ended without an answer"));
  return Unpack(answer);
}

Result<Json> Work(const std::string& name, int fd, size_t count, pid_t parent,
                  const AskingWork& work, UserChild::Ending ending) {
  TakeSignals();
  // The vendor's module gets no terminal, neither audit log nor lock of the operator's, and nothing
  // of the operator's environment: what it wants of one is in its token's file.
  KB_TRY(LeaveSession(fd));
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // what it prints is no answer of ours
  ::clearenv();
  ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  KB_ASSIGN(const auto secrets, ReceiveSecrets(fd, count));
  if (::geteuid() == 0) {
    KB_ASSIGN(const User user, FindUser(name));
    KB_TRY(BecomeUser(user));
  }
  // Here, since a change of uid forgets it (prctl(2)). Nothing of ours outlives the command.
  const int signal = ending == UserChild::Ending::kKilled ? SIGKILL : SIGTERM;
  if (::prctl(PR_SET_PDEATHSIG, signal) != 0 || ::getppid() != parent) {
    return Fail(Internal("the command ended before its work began"));
  }
  return work(secrets, [fd](const Json& question) { return AskParent(fd, question); });
}

// Child never returns: destructors here would touch the parent's secrets, which a fork leaves
// behind as addresses without memory.
[[noreturn]] void Child(const std::string& user, int fd, size_t count, pid_t parent,
                        const AskingWork& work, UserChild::Ending ending) {
  Interruption::Forget();
  std::string text;
  try {
    text = DumpText(Pack(Work(user, fd, count, parent, work, ending)));
  } catch (const std::exception& error) {
    text = Pack(Fail(Internal(error.what()))).dump();
  }
  const bool sent = SendText(fd, text);
  std::fflush(nullptr);
  ::_exit(sent ? 0 : 1);
}

// BorrowToken has a running tokenhost let go of the token while the loan lives.
Result<std::optional<tokenhost::TokenLoan>> BorrowToken(const config::Settings& settings,
                                                        const token::TokenConfig& config,
                                                        Borrow borrow) {
  KB_ASSIGN(const auto profile, token::LoadProfile(settings.profiles_dir, config.profile));
  if (profile.several_processes && borrow == Borrow::kIfItAdmitsOneProcess) return std::nullopt;
  auto loan = tokenhost::BorrowToken(settings, config.name);
  if (loan) return std::move(*loan);
  // Where none runs nobody has the token; that another command has it comes with a CK_RV.
  const Error& error = loan.error();
  if (error.code == ErrorCode::kUnavailable && error.rv == CKR_OK) return std::nullopt;
  return Fail(error);
}

AskingWork Asking(const TokenWork& work) {
  return [&work](const std::vector<Secret>& secrets, const Ask&) { return work(secrets); };
}

}  // namespace

Result<Json> NoQuestions(const Json&) {
  return Fail(Internal("the token's process asked what nobody answers"));
}

Result<Json> RunAsTokenUser(const config::Settings& settings, const token::TokenConfig& config,
                            const std::vector<const Secret*>& secrets, const TokenWork& work,
                            Borrow borrow) {
  return RunAsTokenUser(settings, config, secrets, Asking(work), NoQuestions, borrow);
}

Result<Json> RunAsTokenUser(const config::Settings& settings, const token::TokenConfig& config,
                            const std::vector<const Secret*>& secrets, const AskingWork& work,
                            const Answerer& answer, Borrow borrow) {
  KB_ASSIGN([[maybe_unused]] const auto loan, BorrowToken(settings, config, borrow));
  return RunAsUser(settings.token_user, secrets, work, answer);
}

Result<Json> RunAsUser(const std::string& user, const std::vector<const Secret*>& secrets,
                       const TokenWork& work, ChildKind kind) {
  return RunAsUser(user, secrets, Asking(work), NoQuestions, kind);
}

Result<UserChild> StartAsUser(const std::string& user, const std::vector<const Secret*>& secrets,
                              const AskingWork& work, UserChild::Ending ending) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return Fail(SystemError("socketpair", errno));
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  KB_ASSIGN(ChildWords words, ChildWords::Make());
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Fail(SystemError("fork", errno));
  if (pid == 0) {
    ours.Reset();
    words.TakeIn();
    Child(user, theirs.get(), secrets.size(), parent, work, ending);
  }
  theirs.Reset();
  UserChild child(pid, ending, std::move(ours), std::move(words));
  // Without it, only the channel's end tells.
  child.pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // One that ended before it had them has its reason to give, or no answer: Await tells.
  for (const Secret* secret : secrets) {
    if (!SendSecret(child.channel_.get(), *secret)) break;
  }
  return child;
}

Result<Json> RunAsUser(const std::string& user, const std::vector<const Secret*>& secrets,
                       const AskingWork& work, const Answerer& answer, ChildKind kind) {
  KB_ASSIGN(UserChild child, StartAsUser(user, secrets, work));
  return std::move(child).Await(answer, kind);
}

}  // namespace keybroker::cli
