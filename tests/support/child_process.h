#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "keybroker/base/unique_fd.h"

namespace keybroker::test {

// ChildProcess runs a program and reads what it says on stdout and stderr. Whatever is still
// running at the end is killed, by its pid.
class ChildProcess {
 public:
  struct How {
    std::map<std::string, std::string> environment;  // added to ours
    std::vector<int> fds;                            // become 3, 4, ...; LISTEN_PID is set for them
  };

  ChildProcess(const std::vector<std::string>& command, const How& how);
  explicit ChildProcess(const std::vector<std::string>& command) : ChildProcess(command, How{}) {}
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  // AwaitLine reads on until text was said; false when the output ends first.
  bool AwaitLine(const std::string& text);
  void Signal(int signal);

  // Wait waits for the end and gives the exit status, or 1000 and the signal's number.
  int Wait();
  const std::string& output() const { return output_; }

 private:
  bool ReadMore();

  pid_t pid_ = -1;
  UniqueFd out_;
  std::string output_;
  size_t searched_ = 0;
};

}  // namespace keybroker::test
