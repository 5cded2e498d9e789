#pragma once

#include <chrono>
#include <filesystem>

#include "keybroker/config/settings.h"

namespace keybroker::cli {

// RunOptions is what `keybroker run` was asked.
struct RunOptions {
  bool check = false;                 // only have each program check its configuration
  std::filesystem::path program_dir;  // of keybrokerd and keybroker-tokenhost; empty: found
  // How long programs that are told to stop may take before they are killed, all in all.
  std::chrono::milliseconds stop_deadline{10'000};
};

// RunSupervisor starts keybrokerd and one keybroker-tokenhost per file in tokens_dir, as siblings,
// and keeps them running until SIGTERM or SIGINT: it starts a dead one again with backoff, passes
// SIGHUP on (and then follows tokens_dir), and prints "keybroker: ready" on stdout when all have
// reported readiness for the first time. Gives the exit code: 0 stopped as asked, or checked and
// ok; 1 otherwise, with the reason on stderr. Started as root it stays root, to start children as
// root which drop to their own users; it parses nothing but settings and the names in tokens_dir.
// Must be called on the main thread of a process that has no other.
int RunSupervisor(const config::Settings& settings, const RunOptions& options);

}  // namespace keybroker::cli
