#include "tokenhost/options.h"

namespace keybroker::tokenhost {
namespace {

constexpr std::string_view kHelp =
    R"(Usage: keybroker-tokenhost --token NAME [--config FILE] [--check]

Holds one token: its PIN, its vendor module and its sessions, and signs for keybrokerd.
Run it by its systemd unit (keybroker-tokenhost@NAME) or by `keybroker run`.

  --token NAME   the token to hold: tokens.d/NAME.toml
  --config FILE  the configuration (default /etc/keybroker/keybroker.toml)
  --check        read and check the configuration, say what is wrong, and end
  --version      print the version and end
  --help         print this and end

Signals: SIGTERM and SIGINT end it cleanly, SIGHUP reads the token's keys again.
Exit codes: 0 ended as asked; 64 wrong arguments; 70 the system refused something;
75 the vendor module hung, or another tokenhost holds the token's socket: start it
again; 78 the configuration is wrong.

Example: keybroker-tokenhost --config /etc/keybroker/keybroker.toml --token main
)";

Error Usage(const std::string& what) {
  return Malformed(what + "; see keybroker-tokenhost --help");
}

}  // namespace

std::string_view HelpText() { return kHelp; }

Result<Options> ParseOptions(std::span<const std::string_view> arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--check") {
      options.check = true;
    } else if (name == "--help" || name == "-h") {
      options.help = true;
    } else if (name == "--version") {
      options.version = true;
    } else if (name == "--config" || name == "--token") {
      if (++i == arguments.size()) return Fail(Usage(std::string(name) + " needs a value"));
      if (name == "--config") {
        options.config = arguments[i];
      } else {
        options.token = arguments[i];
      }
    } else {
      return Fail(Usage("unknown argument \"" + std::string(name) + "\""));
    }
  }
  if (options.help || options.version) return options;
  if (options.token.empty()) return Fail(Usage("--token NAME is missing"));
  KB_TRY(config::CheckName("token", options.token));
  return options;
}

}  // namespace keybroker::tokenhost
