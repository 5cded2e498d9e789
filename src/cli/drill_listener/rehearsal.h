#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "cli/answer.h"
#include "cli/listener_side.h"
#include "cli/run_programs.h"
#include "cli/scratch_folder.h"
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

// Rehearsal is level 3 for one backup. As a user of its own, in a folder of its own in memory: the
// key is restored onto a scratch token; a keybrokerd and a keybroker-tokenhost that serve nothing
// else are started; a listener loads the key by engine and module; a client makes a TLS 1.3 and a
// TLS 1.2 handshake with it. Then all of that is ended and removed, and seen to be gone (Internal
// when it is not). Several may run side by side.
class Rehearsal {
 public:
  // Start begins it; backup is not needed any more then. An Error is what kept it from that.
  static Result<Rehearsal> Start(const config::Settings& settings, const RehearsalParts& parts,
                                 const Secret& kek, const backup::Backup& backup);

  // Await gives "failure" (empty: all went well, else the step and what it met), "ms" and
  // "restore_ms", "start_ms", "tls" (version, cipher, signature, load_ms, ms for each handshake),
  // and "token". An Error is what kept the drill from being held.
  Result<Json> Await() &&;

 private:
  explicit Rehearsal(Json known) : known_(std::move(known)) {}

  Json known_;  // the result, where there is nothing to run
  std::optional<ScratchChild> child_;
};

}  // namespace keybroker::cli
