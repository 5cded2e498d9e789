#pragma once

#include <string>

#include "cli/answer.h"
#include "cli/key_choice.h"
#include "cli/token_access.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// ShowKey is the one key that is meant, as KeyJson; the token is only read.
Result<Json> ShowKey(const TokenAccess& access, const policy::CurrentKeys& current,
                     const KeyWish& wish);

// RequireVerifiedBackup is Denied unless a verified backup of the key is on record; why says what
// would be lost. The message names the way to one, and --force.
Status RequireVerifiedBackup(const config::Settings& settings, const Json& key,
                             const std::string& why);

}  // namespace keybroker::cli
