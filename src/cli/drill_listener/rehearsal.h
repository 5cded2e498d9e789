#pragma once

#include <filesystem>
#include <string>

#include "cli/answer.h"
#include "cli/listener_side.h"
#include "cli/run_programs.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// RehearsalParts is what a drill at level 3 runs: SoftHSM2's module, and our own programs and
// libraries.
struct RehearsalParts {
  std::string softhsm;
  RunPrograms programs;
  ListenerSide libraries;

  // Find looks where `run` and `listener config` do; NotFound says what is not there.
  static Result<RehearsalParts> Find(const std::string& softhsm);
};

// Rehearse is level 3 for one backup. As the token user, in a folder of its own in memory: the key
// is restored onto a scratch token; a keybrokerd and a keybroker-tokenhost that serve nothing else
// are started; a listener loads the key by engine and module; a client makes a TLS 1.3 and a TLS
// 1.2 handshake with it. Then all of that is ended and removed, and seen to be gone (Internal when
// it is not). Gives "failure" (empty: all went well, else the step and what it met), "ms" and
// "restore_ms", "start_ms", "tls" (version, cipher, signature, load_ms, ms for each handshake), and
// "token". An Error is what kept the drill from being held.
Result<Json> Rehearse(const config::Settings& settings, const RehearsalParts& parts,
                      const Secret& kek, const backup::Backup& backup);

}  // namespace keybroker::cli
