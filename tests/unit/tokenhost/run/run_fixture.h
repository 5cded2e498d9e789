#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "cli/run.h"
#include "keybroker/base/unique_fd.h"
#include "support/temp_dir.h"

namespace keybroker::cli {

// Event is one line that a fake program wrote: who, its pid, what happened.
struct Event {
  std::string name;
  pid_t pid = 0;
  std::string what;
};

// RunFixture is a folder with fake programs (fake_program.py), and RunSupervisor in a process of
// its own.
class RunFixture {
 public:
  RunFixture();
  ~RunFixture();

  void AddToken(const std::string& name);
  void Plan(const std::string& name, const std::string& lines);

  // Start forks and runs the supervisor. Next gives the next event of any program; EventOf waits
  // for the next one of that program that begins with what, past all others.
  void Start();
  Event Next();
  Event EventOf(const std::string& name, const std::string& what);

  // ReadOut reads what the supervisor printed until text was there; Signal and Wait are kill(2) and
  // waitpid(2), the exit code as a shell says it.
  bool ReadOut(const std::string& text);
  void Signal(int number) const;
  int Wait();

  pid_t pid() const { return pid_; }
  const std::string& output() const { return output_; }
  config::Settings settings;
  RunOptions options;
  const test::TempDir dir;

 private:
  pid_t pid_ = -1;
  UniqueFd events_;
  std::string pending_;
  UniqueFd out_;
  std::string output_;
};

// IsGone waits until the process is no more, with a generous deadline.
bool IsGone(pid_t pid);

}  // namespace keybroker::cli
