#pragma once

#include <string>

#include "cli/answer.h"
#include "cli/key_choice.h"
#include "cli/token_access.h"
#include "cli/token_identity.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// ShownKey is one key, as KeyJson, and the token that has it.
struct ShownKey {
  Json key;
  TokenIdentity token;
};

// ShowKey is the one key that is meant; the token is only read.
Result<ShownKey> ShowKey(const TokenAccess& access, const policy::CurrentKeys& current,
                         const KeyWish& wish);

// RequireVerifiedBackup is Denied unless a backup of the key is on record that a token made the key
// of: a file that is still what it was, or an external one whose drill is not overdue and was held
// on a token other than the key's; with force it asks for none. why says what would be lost. The
// message names the way to one, and --force.
Status RequireVerifiedBackup(const config::Settings& settings, const ShownKey& shown,
                             const std::string& why, bool force);

}  // namespace keybroker::cli
