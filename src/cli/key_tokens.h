#pragma once

#include <string>
#include <vector>

#include "cli/key_choice.h"
#include "cli/token_access.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// PrepareForKey is TokenAccess::Prepare for a command that names a key which exists: with several
// tokens and none named, the one that holds the key. They are asked for public objects only, so
// that no PIN is tried where the key is not. Malformed asks for --token when several hold it, or
// when none shows it. The token named except, the target of a copy, is left out.
Result<TokenAccess> PrepareForKey(const config::Settings& settings, const TokenOptions& options,
                                  const KeyWish& wish, const std::string& except = "");

// PrepareForKeys is the same for a command that names several keys: the token that holds them all.
Result<TokenAccess> PrepareForKeys(const config::Settings& settings, const TokenOptions& options,
                                   const std::vector<KeyWish>& wishes,
                                   const std::string& except = "");

// Holders is which tokens show a key, and which could not be asked.
struct Holders {
  std::vector<std::string> names;
  std::string silent;  // "; the token NAME could not be asked: why" for each
};

// HoldersBesides asks all configured tokens but the one named except, without a login.
Result<Holders> HoldersBesides(const config::Settings& settings, const KeyWish& wish,
                               const std::string& except);

// Shows: the token shows the key without a login; false also where it cannot be asked.
bool Shows(const TokenAccess& access, const config::Settings& settings, const KeyWish& wish);

}  // namespace keybroker::cli
