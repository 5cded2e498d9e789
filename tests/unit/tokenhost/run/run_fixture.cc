#include "unit/tokenhost/run/run_fixture.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

namespace keybroker::cli {
namespace {

constexpr int kGenerousMs = 60'000;

// ReadMore appends what comes on fd; false at its end or when nothing comes for a long time.
bool ReadMore(int fd, std::string* text) {
  pollfd wait{fd, POLLIN, 0};
  if (::poll(&wait, 1, kGenerousMs) != 1) return false;
  char buffer[4096];
  const ssize_t size = ::read(fd, buffer, sizeof buffer);
  if (size <= 0) return false;
  text->append(buffer, static_cast<size_t>(size));
  return true;
}

}  // namespace

RunFixture::RunFixture() {
  const auto program =
      std::filesystem::path(KB_SOURCE_DIR) / "tests/unit/tokenhost/run" / "fake_program.py";
  for (const char* name : {"keybrokerd", "keybroker-tokenhost"}) {
    std::filesystem::copy_file(program, dir / name);
    std::filesystem::permissions(dir / name, std::filesystem::perms(0755));
  }
  std::filesystem::create_directory(dir / "tokens.d");
  EXPECT_EQ(::mkfifo((dir / "events").c_str(), 0666), 0);
  // Read and write: it never ends, whoever comes and goes.
  events_.Reset(::open((dir / "events").c_str(), O_RDWR | O_CLOEXEC));
  settings.file = dir / "keybroker.toml";
  settings.tokens_dir = dir / "tokens.d";
  settings.state_dir = dir / "state";
  settings.runtime_dir = dir / "run";
  options.program_dir = dir.path();
}

RunFixture::~RunFixture() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void RunFixture::AddToken(const std::string& name) {
  test::WriteAll(dir / ("tokens.d/" + name + ".toml"), "");
}

void RunFixture::Plan(const std::string& name, const std::string& lines) {
  test::WriteAll(dir / (name + ".plan"), lines);
}

void RunFixture::Start() {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::_exit(RunSupervisor(settings, options));
  }
  ::close(ends[1]);
  out_.Reset(ends[0]);
}

Event RunFixture::Next() {
  while (pending_.find('\n') == std::string::npos) {
    if (!ReadMore(events_.get(), &pending_)) {
      ADD_FAILURE() << "no event; the supervisor said: " << output_;
      return {};
    }
  }
  const size_t end = pending_.find('\n');
  std::istringstream line(pending_.substr(0, end));
  pending_.erase(0, end + 1);
  Event event;
  line >> event.name >> event.pid;
  std::getline(line >> std::ws, event.what);
  return event;
}

Event RunFixture::EventOf(const std::string& name, const std::string& what) {
  for (;;) {
    Event event = Next();
    const bool wanted = event.name == name && event.what.substr(0, what.size()) == what;
    if (wanted || event.name.empty()) return event;
  }
}

bool RunFixture::ReadOut(const std::string& text) {
  while (output_.find(text) == std::string::npos) {
    if (!ReadMore(out_.get(), &output_)) return false;
  }
  return true;
}

void RunFixture::Signal(int number) const { ASSERT_EQ(::kill(pid_, number), 0); }

int RunFixture::Wait() {
  int status = 0;
  EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  while (ReadMore(out_.get(), &output_)) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool IsGone(pid_t pid) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return errno == ESRCH;
  pollfd wait{fd.get(), POLLIN, 0};
  return ::poll(&wait, 1, kGenerousMs) == 1;
}

}  // namespace keybroker::cli
