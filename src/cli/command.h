#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/invocation.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
}

namespace keybroker::cli {

// Action carries a command out once its options are filled in.
using Action = std::function<Result<Answer>(const Invocation&)>;

// Command is one word of the command line and what may follow it: the thin side of CLI11, which is
// slow to compile and so is included by command.cc alone. Values given to Argument and Option must
// outlive the parse: commands keep them in a shared_ptr that their Action holds too.
class Command {
 public:
  // Noun adds a word that only groups verbs.
  Command Noun(const std::string& name, const std::string& help) const;

  // Verb adds a word that does something; example is shown by its --help.
  Command Verb(const std::string& name, const std::string& help, const std::string& example) const;

  const Command& Argument(const std::string& name, std::string& value,
                          const std::string& help) const;
  const Command& OptionalArgument(const std::string& name, std::string& value,
                                  const std::string& help) const;
  // Arguments takes any number of them, none included.
  const Command& Arguments(const std::string& name, std::vector<std::string>& values,
                           const std::string& help) const;
  const Command& Option(const std::string& name, std::string& value, const std::string& help) const;
  const Command& Required(const std::string& name, std::string& value,
                          const std::string& help) const;
  const Command& Option(const std::string& name, unsigned& value, const std::string& help) const;
  const Command& Option(const std::string& name, int& value, const std::string& help) const;
  // Repeated may be given several times.
  const Command& Repeated(const std::string& name, std::vector<std::string>& values,
                          const std::string& help) const;
  const Command& Flag(const std::string& name, bool& value, const std::string& help) const;

  void Does(Action action) const;

 private:
  friend int RunCommandLine(int argc, char** argv);
  Command(CLI::App* app, Action* chosen) : app_(app), chosen_(chosen) {}

  CLI::App* app_;
  Action* chosen_;
};

// RunCommandLine parses, acts, prints, and gives the exit code.
int RunCommandLine(int argc, char** argv);

}  // namespace keybroker::cli
