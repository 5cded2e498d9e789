#include "cli/token_child.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "cli/interruption.h"
#include "keybroker/base/process.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/profile.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxResult = 16 << 20;
constexpr int kLookForSignalMs = 100;
constexpr unsigned kLooksBeforeKill = 20;  // two seconds from SIGTERM to SIGKILL
constexpr int kEndMs = 10'000;
constexpr uint32_t kMaxSecret = 1 << 20;  // a whole key file

bool SendAll(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

bool ReceiveAll(int fd, std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

bool SendSecret(int fd, const Secret& secret) {
  const auto size = static_cast<uint32_t>(secret.size());
  const auto* bytes = reinterpret_cast<const uint8_t*>(&size);
  return SendAll(fd, {bytes, sizeof size}) && SendAll(fd, secret.Expose());
}

Result<std::vector<Secret>> ReceiveSecrets(int fd, size_t count) {
  std::vector<Secret> secrets;
  for (size_t i = 0; i < count; ++i) {
    uint32_t size = 0;
    if (!ReceiveAll(fd, {reinterpret_cast<uint8_t*>(&size), sizeof size}) || size > kMaxSecret) {
      return Fail(Internal("the PIN did not arrive"));
    }
    KB_ASSIGN(Secret secret, Secret::Allocate(size));
    if (!ReceiveAll(fd, secret.Buffer().first(size))) return Fail(Internal("the PIN was cut off"));
    secret.SetSize(size);
    secrets.push_back(std::move(secret));
  }
  return secrets;
}

// TakeSignals: whatever the parent holds back, this process can be ended.
void TakeSignals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json Pack(const Result<Json>& result) {
  if (result) return Json{{"result", *result}};
  return Json{{"code", static_cast<unsigned>(result.error().code)},
              {"rv", result.error().rv},
              {"detail", result.error().detail}};
}

// ParseReply is what a process with a vendor's module in it says, which may be anything: what is
// nested deeper than any reply of ours (the stack of who copies it would end) does not parse.
Json ParseReply(const std::string& text) {
  constexpr size_t kDeepest = 32;
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{') && ++depth > kDeepest) {
      return Json(Json::value_t::discarded);
    } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return Json::parse(text, nullptr, false);
}

Result<Json> Unpack(const std::string& text) {
  Json json = ParseReply(text);
  if (json.is_object() && json.contains("result")) return json["result"];
  const int64_t code = GetNumber(json, "code");
  if (code < 1 || code > static_cast<int64_t>(ErrorCode::kConflict)) {
    return Fail(Internal("the token's process gave an answer that does not parse"));
  }
  Error error =
      Internal(GetText(json, "detail"), static_cast<unsigned long>(GetNumber(json, "rv")));
  error.code = static_cast<ErrorCode>(code);
  return Fail(std::move(error));
}

bool SendText(int fd, const std::string& text) {
  return SendAll(fd, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// ReceiveText gives what comes up to the end, or a line, with its end: a question or its answer.
// await waits until there is something to read; false: nothing will come any more.
Result<std::string> ReceiveText(int fd, const std::function<bool()>& await) {
  std::string text;
  char buffer[16384];
  while (await()) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kMaxResult) return Fail(Internal("the token's answer is too long"));
    // JSON as Dump writes it has no line end in it, and each side waits for the other.
    if (text.back() == '\n') break;
  }
  return text;
}

// AskParent is a child's side of a question.
Result<Json> AskParent(int fd, const Json& question) {
  if (!SendText(fd, Dump(question) + "\n")) return Fail(Internal("the command does not listen"));
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
    text = Dump(Pack(Work(user, fd, count, parent, work, ending)));
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
    static_cast<void>(SendText(channel_.get(), Dump(Pack(answer(ParseReply(*text)))) + "\n"));
    text = Receive();
  }
  KB_TRY(Wait(kind));
  KB_TRY(text);
  return Unpack(*text);
}

Result<Json> RunAsUser(const std::string& user, const std::vector<const Secret*>& secrets,
                       const AskingWork& work, const Answerer& answer, ChildKind kind) {
  KB_ASSIGN(UserChild child, StartAsUser(user, secrets, work));
  return std::move(child).Await(answer, kind);
}

}  // namespace keybroker::cli
