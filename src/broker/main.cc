#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/server.h"
#include "keybroker/base/log.h"
#include "keybroker/base/process.h"
#include "keybroker/config/settings.h"
#include "keybroker/ipc/activation.h"
#include "keybroker/ipc/notify.h"

namespace keybroker::broker {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitConfiguration = 78;  // EX_CONFIG: starting again without a change is no use

constexpr std::string_view kHelp =
    "Usage: keybrokerd [--config FILE] [--check]\n"
    "\n"
    "Lets each listener sign with the keys that are bound to it, and nothing else. It runs in the\n"
    "foreground; started as root it becomes the user broker of [users] once its sockets are "
    "bound.\n"
    "\n"
    "  --config FILE  the configuration (default /etc/keybroker/keybroker.toml)\n"
    "  --check        read all of the configuration, say \"ok\" or every complaint, and end\n"
    "  --foreground   accepted: it is what the broker does anyway\n"
    "  --version      print the version and end\n"
    "  --help         print this and end\n"
    "\n"
    "SIGHUP reads the configuration again (a broken one is refused, and the old one stays in\n"
    "force); SIGTERM and SIGINT end it cleanly. Sockets from systemd (LISTEN_FDS) are taken by\n"
    "FileDescriptorName=: the listener's name, or admin. Readiness goes to NOTIFY_SOCKET.\n"
    "\n"
    "Exit status: 0 ended as asked, 1 failed, 2 wrong usage, 78 wrong configuration.\n"
    "\n"
    "Example:\n"
    "  keybrokerd --config /etc/keybroker/keybroker.toml --check\n";

struct Options {
  std::filesystem::path config{config::kDefaultConfig};
  bool check = false;
};

// ParseOptions gives the exit status when there is nothing to run.
std::optional<int> ParseOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::fwrite(kHelp.data(), 1, kHelp.size(), stdout);
      return 0;
    }
    if (argument == "--version") {
      std::printf("keybrokerd %s\n", KB_VERSION);
      return 0;
    }
    if (argument == "--check") {
      options->check = true;
    } else if (argument == "--config" && i + 1 < argc) {
      options->config = argv[++i];
    } else if (argument.starts_with("--config=")) {
      options->config = argument.substr(argument.find('=') + 1);
    } else if (argument != "--foreground") {
      std::fprintf(stderr, "keybrokerd: unknown argument \"%s\"; see keybrokerd --help\n", argv[i]);
      return kExitUsage;
    }
  }
  return std::nullopt;
}

// SayWhy prints an error that has a line for each complaint.
int SayWhy(std::string_view what, const Error& error, int status) {
  std::string_view left = error.detail;
  while (!left.empty()) {
    const size_t end = std::min(left.find('\n'), left.size());
    Log(LogLevel::kError, std::string(what) + ": " + std::string(left.substr(0, end)));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return status;
}

int Check(const config::Settings& settings) {
  const auto user = BrokerUser(settings);
  if (!user) return SayWhy("check", user.error(), kExitConfiguration);
  const auto configuration = LoadConfiguration(settings, *user);
  if (!configuration) return SayWhy("check", configuration.error(), kExitConfiguration);
  if (!configuration->warnings.empty()) {
    for (const std::string& warning : configuration->warnings) {
      Log(LogLevel::kError, "check: " + warning);
    }
    return kExitConfiguration;
  }
  std::printf("ok: %zu listeners, %zu tokens\n", configuration->listeners.size(),
              configuration->tokens.size());
  return 0;
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

sigset_t BlockSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // A file size limit must fail the append to the audit log, not end the broker.
  ::signal(SIGXFSZ, SIG_IGN);
  return signals;
}

int Serve(Server& server, const sigset_t& signals) {
  ipc::Notify("READY=1");
  Log(LogLevel::kNotice, "ready");
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) break;
    // The server has said what it made of it.
    [[maybe_unused]] const auto reloaded = server.Reload();
  }
  ipc::Notify("STOPPING=1");
  Log(LogLevel::kNotice, "stopping");
  return 0;
}

int Run(const config::Settings& settings) {
  const sigset_t signals = BlockSignals();
  ::umask(022);
  RaiseDescriptorLimit();
  auto activated = ipc::TakeActivatedSockets();
  if (!activated) return SayWhy("cannot start", activated.error(), kExitConfiguration);
  auto prepared = Prepare(settings, std::move(*activated));
  if (!prepared) {
    const bool configuration = prepared.error().code == ErrorCode::kMalformed ||
                               prepared.error().code == ErrorCode::kNotFound;
    return SayWhy("cannot start", prepared.error(), configuration ? kExitConfiguration : 1);
  }
  if (const auto status = BecomeUser(prepared->broker); !status) {
    return SayWhy("cannot start", status.error(), 1);
  }
  auto server = Server::Start(std::move(*prepared));
  if (!server) return SayWhy("cannot start", server.error(), 1);
  return Serve(**server, signals);
}

int Main(int argc, char** argv) {
  SetLogName("keybrokerd");
  if (const auto hardened = HardenProcess(); !hardened) {
    return SayWhy("cannot start", hardened.error(), 1);
  }
  Options options;
  if (const auto status = ParseOptions(argc, argv, &options)) return *status;
  const auto settings = config::LoadSettings(options.config);
  if (!settings) return SayWhy("cannot start", settings.error(), kExitConfiguration);
  return options.check ? Check(*settings) : Run(*settings);
}

}  // namespace
}  // namespace keybroker::broker

int main(int argc, char** argv) {
  try {
    return keybroker::broker::Main(argc, argv);
  } catch (const std::exception& problem) {
    keybroker::Log(keybroker::LogLevel::kError, std::string("cannot go on: ") + problem.what());
    return 1;
  }
}
