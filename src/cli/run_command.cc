#include <memory>

#include "cli/commands.h"
#include "cli/run.h"

namespace keybroker::cli {

void AddRun(const Command& root) {
  auto options = std::make_shared<RunOptions>();
  auto directory = std::make_shared<std::string>();
  const Command verb =
      root.Verb("run", "run broker and tokenhosts in the foreground, where there is no systemd",
                "keybroker run --check");
  verb.Flag("--check", options->check, "only check the whole configuration, and say what is wrong")
      .Option("--program-dir", *directory,
              "where keybrokerd and keybroker-tokenhost are; default: beside this program");
  verb.Does([options, directory](const Invocation& invocation) -> Result<Answer> {
    KB_ASSIGN(const auto settings, invocation.Settings());
    options->program_dir = *directory;
    Answer answer;
    answer.good = RunSupervisor(settings, *options) == kExitDone;
    return answer;
  });
}

}  // namespace keybroker::cli
