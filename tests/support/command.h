#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keybroker/base/unique_fd.h"

namespace keybroker::test {

using Arguments = std::vector<std::string>;
using Environment = std::map<std::string, std::string>;

// CommandResult is how a program ended: its exit status (128 + signal when killed; 127 when it
// could not be started) and everything it wrote.
struct CommandResult {
  int status = 0;
  std::string out;
  std::string err;
};

// RunCommand runs a program to its end. environment is added to this process's; input is its stdin.
// Killed after limit, which is generous: status 137 then.
CommandResult RunCommand(const Arguments& arguments, const Environment& environment = {},
                         const std::string& input = "",
                         std::chrono::seconds limit = std::chrono::seconds(120));

// Process is a program that keeps running. Its stdout and stderr come together in one stream.
// SIGKILLed, and waited for, at the end of its life; it dies too when the test does.
class Process {
 public:
  Process() = default;
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  static Process Start(const Arguments& arguments, const Environment& environment = {});

  // StartOnTerminal gives it a terminal of its own, as its controlling one: what a person would see
  // is its output, and Type is that person's keyboard.
  static Process StartOnTerminal(const Arguments& arguments);
  void Type(const std::string& text) const;

  // WaitForText reads on until text appears in the output, the process ends or limit is over; true
  // when it appeared.
  bool WaitForText(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(60));

  // Signal sends one; Wait waits for the end and gives the exit status as CommandResult does.
  void Signal(int number) const;
  std::optional<int> Wait(std::chrono::milliseconds limit = std::chrono::seconds(60));

  // Stop is SIGTERM and Wait.
  std::optional<int> Stop();

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }

  // output is everything read so far; WaitForText and Wait read.
  const std::string& output() const { return output_; }

 private:
  bool ReadSome(std::chrono::steady_clock::time_point deadline);

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd output_fd_;
  std::string output_;
};

}  // namespace keybroker::test
