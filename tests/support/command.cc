#include "support/command.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace keybroker::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe MakePipe() {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// What the new process gets as its three standard descriptors; all the same: its terminal.
struct Streams {
  int in;
  int out;
  int err;
};

// argv and envp are made before the fork: the child of a threaded program may not allocate.
class Image {
 public:
  Image(const Arguments& arguments, const Environment& environment) : arguments_(arguments) {
    for (auto& argument : arguments_) argv_.push_back(argument.data());
    argv_.push_back(nullptr);
    for (char** entry = environ; *entry != nullptr; ++entry) {
      std::string text = *entry;
      if (environment.count(text.substr(0, text.find('='))) == 0) environment_.push_back(text);
    }
    for (const auto& [name, value] : environment) environment_.push_back(name + "=" + value);
    for (auto& entry : environment_) envp_.push_back(entry.data());
    envp_.push_back(nullptr);
  }

  pid_t Start(const Streams& streams) {
    pid_t child = fork();
    if (child < 0) abort();  // a pid of -1 would later be killed as "everybody"
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (streams.in == streams.err && (setsid() < 0 || ioctl(streams.in, TIOCSCTTY, 0) != 0))
      _exit(127);
    if (dup2(streams.in, 0) < 0 || dup2(streams.out, 1) < 0 || dup2(streams.err, 2) < 0) _exit(127);
    execvpe(argv_[0], argv_.data(), envp_.data());
    _exit(127);
  }

 private:
  Arguments arguments_;
  std::vector<std::string> environment_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
};

int ExitStatus(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int Remaining(Clock::time_point deadline) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return left.count() < 0 ? 0 : static_cast<int>(left.count());
}

// Appends what is there; false at the stream's end.
bool Drain(int fd, std::string& text) {
  std::array<char, 4096> buffer{};
  ssize_t got = read(fd, buffer.data(), buffer.size());
  if (got <= 0) return false;
  text.append(buffer.data(), static_cast<size_t>(got));
  return true;
}

}  // namespace

CommandResult RunCommand(const Arguments& arguments, const Environment& environment,
                         const std::string& input, std::chrono::seconds limit) {
  auto deadline = Clock::now() + limit;
  Pipe in = MakePipe();
  Pipe out = MakePipe();
  Pipe err = MakePipe();
  Image image(arguments, environment);
  pid_t child = image.Start({in.read_end.get(), out.write_end.get(), err.write_end.get()});
  in.read_end.Reset();
  out.write_end.Reset();
  err.write_end.Reset();
  // Inputs here are a few lines and fit the pipe; a program that does not read them is no error.
  signal(SIGPIPE, SIG_IGN);
  if (write(in.write_end.get(), input.data(), input.size()) < 0) errno = 0;
  in.write_end.Reset();

  CommandResult result;
  std::array<pollfd, 2> streams = {pollfd{out.read_end.get(), POLLIN, 0},
                                   pollfd{err.read_end.get(), POLLIN, 0}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    if (poll(streams.data(), streams.size(), Remaining(deadline)) <= 0) {
      kill(child, SIGKILL);
      break;
    }
    if (streams[0].revents != 0 && !Drain(streams[0].fd, result.out)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !Drain(streams[1].fd, result.err)) streams[1].fd = -1;
  }
  int status = 0;
  waitpid(child, &status, 0);
  result.status = ExitStatus(status);
  return result;
}

Process::Process(Process&& other) noexcept { *this = std::move(other); }

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(output_fd_, other.output_fd_);
  std::swap(output_, other.output_);
  return *this;
}

Process::~Process() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

Process Process::Start(const Arguments& arguments, const Environment& environment) {
  Process process;
  Pipe out = MakePipe();
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Image image(arguments, environment);
  process.pid_ = image.Start({null.get(), out.write_end.get(), out.write_end.get()});
  process.pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, process.pid_, 0)));
  process.output_fd_ = std::move(out.read_end);
  return process;
}

Process Process::StartOnTerminal(const Arguments& arguments) {
  Process process;
  int controller = -1;
  int terminal = -1;
  if (openpty(&controller, &terminal, nullptr, nullptr, nullptr) != 0) abort();
  process.output_fd_ = UniqueFd(controller);
  const UniqueFd theirs(terminal);
  for (const int fd : {controller, terminal}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  process.pid_ = Image(arguments, {}).Start({terminal, terminal, terminal});
  process.pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, process.pid_, 0)));
  return process;
}

void Process::Type(const std::string& text) const {
  if (write(output_fd_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    abort();
}

bool Process::ReadSome(Clock::time_point deadline) {
  pollfd stream{output_fd_.get(), POLLIN, 0};
  return poll(&stream, 1, Remaining(deadline)) > 0 && Drain(output_fd_.get(), output_);
}

bool Process::WaitForText(const std::string& text, std::chrono::seconds limit) {
  auto deadline = Clock::now() + limit;
  while (output_.find(text) == std::string::npos) {
    if (!ReadSome(deadline)) return output_.find(text) != std::string::npos;
  }
  return true;
}

void Process::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

std::optional<int> Process::Wait(std::chrono::milliseconds limit) {
  auto deadline = Clock::now() + limit;
  // Both are watched, so that a process with much to say is not stopped by a full pipe.
  std::array<pollfd, 2> events = {pollfd{pidfd_.get(), POLLIN, 0},
                                  pollfd{output_fd_.get(), POLLIN, 0}};
  while ((events[0].revents & POLLIN) == 0) {
    if (poll(events.data(), events.size(), Remaining(deadline)) <= 0) return std::nullopt;
    if (events[1].revents != 0 && !Drain(output_fd_.get(), output_)) events[1].fd = -1;
  }
  while (ReadSome(Clock::now())) {
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return ExitStatus(status);
}

std::optional<int> Process::Stop() {
  Signal(SIGTERM);
  return Wait();
}

}  // namespace keybroker::test
