#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/backup_input.h"
#include "cli/drill_token.h"
#include "keybroker/base/secret.h"

namespace keybroker::cli {

// Drilled is one file's drill.
struct Drilled {
  std::string path;
  BackupInput input;
  std::optional<backup::Backup> backup;  // once its MAC was found to fit
  std::optional<backup::Defect> defect;
  std::string failure;  // empty: all went well
  double mac_ms = 0;
  double kdf_ms = 0;
  double token_ms = 0;
  std::string token;
};

// DrillRules is what all files are drilled by.
struct DrillRules {
  unsigned level = 2;
  std::optional<config::Settings> settings;
  // Restore runs work where the drill's token is; not called at level 1.
  std::function<Result<Json>(const std::vector<const Secret*>& keks, const DrillWork& work)>
      restore;
};

// Drill does the level's steps for each file: 1, structure and MAC; 2, the key unwrapped as an
// object of a session, a random challenge signed and verified with the backup's certificate (or
// public key), the object destroyed and seen to be gone. Key derivation uses every core, and one
// process of the token's serves a batch. An Error only when no drill could be held at all.
Result<std::vector<Drilled>> Drill(const std::vector<std::string>& files, const Secret& password,
                                   const DrillRules& rules);

}  // namespace keybroker::cli
