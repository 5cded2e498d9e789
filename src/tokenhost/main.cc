#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/log.h"
#include "keybroker/base/process.h"
#include "tokenhost/program.h"

namespace keybroker::tokenhost {
namespace {

// LogComplaints gives each complaint about the configuration a line of its own.
void LogComplaints(const Error& error) {
  std::string_view left = error.detail;
  while (!left.empty()) {
    const size_t end = std::min(left.find('\n'), left.size());
    Log(LogLevel::kError, "wrong configuration: " + std::string(left.substr(0, end)));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
}

int Main(std::span<const std::string_view> arguments) {
  SetLogName("keybroker-tokenhost");
  const auto options = ParseOptions(arguments);
  if (!options) {
    std::fprintf(stderr, "keybroker-tokenhost: %s\n", options.error().detail.c_str());
    return kExitUsage;
  }
  if (options->help || options->version) {
    const std::string_view text =
        options->help ? HelpText() : std::string_view("keybroker-tokenhost " KB_VERSION "\n");
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : kExitSystem;
  }
  if (const auto status = HardenProcess(); !status) {
    LogError("cannot harden the process", status.error());
    return kExitSystem;
  }
  auto setup = LoadSetup(*options);
  if (!setup) {
    LogComplaints(setup.error());
    return kExitConfig;
  }
  if (!options->check) return RunProgram(*setup);
  if (const auto status = CheckSetup(*setup); !status) {
    LogComplaints(status.error());
    return kExitConfig;
  }
  std::printf(
      "keybroker-tokenhost: the configuration of token \"%s\" is ok; keybroker doctor tries "
      "the token itself\n",
      options->token.c_str());
  return 0;
}

}  // namespace
}  // namespace keybroker::tokenhost

int main(int argc, char** argv) {
  try {
    const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    return keybroker::tokenhost::Main(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "keybroker-tokenhost: %s\n", error.what());
    return keybroker::tokenhost::kExitSystem;
  }
}
