#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/change.h"
#include "cli/command.h"
#include "cli/pin.h"
#include "cli/token_access.h"
#include "keybroker/token/key_pair.h"
#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {

// Backup at birth is for a token that lets keys in and none out: the key is made by a scratch token
// in this host's memory, goes into a backup file, and the token unwraps it out of that.

// BirthOptions is what `key generate` is told of it.
struct BirthOptions {
  std::string output;  // the file, or a directory; empty: the token makes the key
  PinOptions password;
  bool generate = false;
  std::string format;
  std::string encryption;
  std::string module = "/usr/lib/softhsm/libsofthsm2.so";  // of the scratch token
  bool force = false;

  bool Wanted() const { return !output.empty(); }
};

void AddBirthOptions(const Command& command, BirthOptions& options);

// CheckBirthUse refuses what excludes each other, or is of no use without the rest.
Status CheckBirthUse(const BirthOptions& options, bool exportable);

// KeysCheck says whether the token's keys let another one be made.
using KeysCheck = std::function<Status(const token::KeyList& keys)>;

// Birth is all that is known before a key is made.
struct Birth {
  std::filesystem::path output;
  std::string module;
  std::vector<token::WrapAlgorithm> algorithms;  // what the token unwraps by, as far as allowed
  Json token;                                    // TokenInfoJson
  Secret password;
};

// PrepareBirth asks for the password once nothing is in the way: Conflict where the file exists, or
// the token wraps keys itself and --force is not said; TokenFailed where it unwraps none; Denied
// where the administrator allows no backup under a password.
Result<Birth> PrepareBirth(const config::Settings& settings, const TokenAccess& access,
                           const BirthOptions& options, const KeysCheck& check);

// Born is a key that is on the token, and its backup.
struct Born {
  Json key;       // KeyJson
  Json backup;    // BackupJson
  Json exposure;  // "token", "software", "ms", "in_the_clear", "destroyed"
  std::vector<std::string> notes;
};

// MakeBorn makes key, file and key on the token, in this order, or leaves neither; the error says
// where a file had to be kept because its key may be on the token. Each step is in the audit chain
// but the last, whose record is its caller's.
Result<Born> MakeBorn(Change& change, const TokenAccess& access, const token::KeySpec& spec,
                      const Birth& birth, const KeysCheck& check);

// ExposureText is the one sentence for it, for the audit chain too.
std::string ExposureText(const Json& exposure);

std::string BornText(const Born& born, const std::string& token);

}  // namespace keybroker::cli
