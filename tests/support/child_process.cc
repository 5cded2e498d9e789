#include "support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace keybroker::test {
namespace {

constexpr int kPatienceMs = 30'000;

[[noreturn]] void Exec(const std::vector<std::string>& command, const ChildProcess::How& how,
                       int out) {
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  // First out of the way of the numbers they are to have.
  std::vector<int> moved;
  for (const int fd : how.fds) moved.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
  for (size_t i = 0; i < moved.size(); ++i) ::dup2(moved[i], 3 + static_cast<int>(i));
  for (const auto& [name, value] : how.environment) ::setenv(name.c_str(), value.c_str(), 1);
  // Our programs make themselves undumpable, and then LeakSanitizer cannot look at them.
  const char* sanitizer = ::getenv("ASAN_OPTIONS");
  const std::string options = sanitizer == nullptr ? "" : std::string(sanitizer) + ":";
  ::setenv("ASAN_OPTIONS", (options + "detect_leaks=0").c_str(), 1);
  if (!how.fds.empty()) {
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(how.fds.size()).c_str(), 1);
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const How& how) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) std::abort();
  out_.Reset(pipe[0]);
  const UniqueFd write_end(pipe[1]);
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) Exec(command, how, write_end.get());
}

ChildProcess::~ChildProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool ChildProcess::ReadMore() {
  pollfd readable{out_.get(), POLLIN, 0};
  if (::poll(&readable, 1, kPatienceMs) <= 0) return false;
  char buffer[4096];
  const ssize_t size = ::read(out_.get(), buffer, sizeof buffer);
  if (size < 0 && errno == EINTR) return true;
  if (size <= 0) return false;
  output_.append(buffer, static_cast<size_t>(size));
  return true;
}

bool ChildProcess::AwaitLine(const std::string& text) {
  for (;;) {
    const size_t found = output_.find(text, searched_);
    if (found != std::string::npos) {
      searched_ = found + text.size();
      return true;
    }
    if (!ReadMore()) return false;
  }
}

void ChildProcess::Signal(int signal) { ::kill(pid_, signal); }

int ChildProcess::Wait() {
  while (ReadMore()) {
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace keybroker::test
