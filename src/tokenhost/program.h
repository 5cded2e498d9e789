#pragma once

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"
#include "keybroker/token/profile.h"
#include "tokenhost/options.h"
#include "tokenhost/peer_rights.h"

namespace keybroker::tokenhost {

// Exit codes (sysexits.h), which `keybroker run` and the systemd unit act upon.
inline constexpr int kExitUsage = 64;
inline constexpr int kExitSystem = 70;
inline constexpr int kExitTryAgain = 75;
inline constexpr int kExitConfig = 78;

// Setup is everything a tokenhost reads before it starts.
struct Setup {
  config::Settings settings;
  token::TokenConfig token;
  token::Profile profile;
  Users users;
};

// LoadSetup reads and checks the configuration.
Result<Setup> LoadSetup(const Options& options);

// CheckSetup checks, as the token user, what LoadSetup cannot: that the module is there and the PIN
// source can be read.
Status CheckSetup(const Setup& setup);

// RunProgram serves until SIGTERM or SIGINT; gives the process's exit code. Call it before any
// thread is started.
int RunProgram(const Setup& setup);

}  // namespace keybroker::tokenhost
