#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/backup_input.h"
#include "cli/backup_opener.h"
#include "cli/drill_token.h"
#include "keybroker/base/secret.h"

namespace keybroker::cli {

// Drilled is one file's drill.
struct Drilled {
  std::string path;
  BackupInput input;
  std::optional<backup::Backup> backup;  // once it was found to open
  std::optional<backup::Backup> claim;   // else what it says of itself, if it can be read
  std::optional<backup::Defect> defect;
  std::string failure;       // empty: all went well
  std::string code;          // its word in --json output when it failed
  bool held = true;          // false: no drill of it was held, and failure is why
  bool interrupted = false;  // so, since the command was asked to end
  bool refuted = false;      // a token could not make the key of it, or it did not sign
  double mac_ms = 0;
  double kdf_ms = 0;
  double token_ms = 0;
  Json more = Json::object();  // level 3: what Rehearsal gives of times and handshakes
  std::string token;
};

// RestoreAll restores backups, each under its KEK: an object with "token" and "results", which has
// for each "failure" (empty: it went well), "refuted" (the failure is the backup's) and "ms"; or
// "interrupted" true; or "not_held", what kept it from being tried.
using RestoreAll = std::function<Result<Json>(const std::vector<const Secret*>& keks,
                                              const std::vector<const backup::Backup*>& backups)>;

// DrillRules is what all files are drilled by.
struct DrillRules {
  unsigned level = 2;
  std::optional<config::Settings> settings;
  RestoreAll restore;  // not called at level 1
};

// DrillRunner does work in the process of a token, with the KEKs.
using DrillRunner =
    std::function<Result<Json>(const std::vector<const Secret*>& keks, const DrillWork& work)>;

// TryAll is level 2 on that token: each key is unwrapped as an object of a session, signs a random
// challenge of this process, is destroyed and seen to be gone. This process verifies the signature
// by the backup's public key, which is its certificate's: it takes no token's word for it.
RestoreAll TryAll(const DrillRunner& run);

// Drill does the level's steps for each file: 1, structure and MAC, or signature; above, what
// rules.restore does. Key derivation uses every core; backups are restored one batch after another.
// An Error only when no drill could be held at all. Asked to end (interruption.h), it begins no
// further one: those that it did not hold say so.
Result<std::vector<Drilled>> Drill(const std::vector<std::string>& files,
                                   const BackupOpener& opener, const DrillRules& rules);

}  // namespace keybroker::cli
