#pragma once

#include <functional>

#include "cli/arriving_key.h"
#include "keybroker/backup/backup_file.h"

namespace keybroker::cli {

// LoggedInCheck is asked in the token's process before anything is made there.
using LoggedInCheck = std::function<Status(LoggedIn& token)>;

// ArrivingOf is the key of a backup on its way onto a token.
ArrivingKey ArrivingOf(const backup::Backup& backup);

// RestoreOnToken is ArriveOnToken with the key of an opened backup: unwrapped under the KEK,
// hardened, and proved by a signature that is verified here. before is asked in the token's
// process.
Result<Json> RestoreOnToken(const TokenAccess& access, const backup::Backup& backup,
                            const Secret& kek, bool exportable, const LoggedInCheck& before = {});

}  // namespace keybroker::cli
