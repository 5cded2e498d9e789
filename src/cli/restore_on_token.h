#pragma once

#include "cli/arriving_key.h"
#include "keybroker/backup/backup_file.h"

namespace keybroker::cli {

// ArrivingOf is the key of a backup on its way onto a token.
ArrivingKey ArrivingOf(const backup::Backup& backup);

// RestoreOnToken is ArriveOnToken with the key of an opened backup, in the token's process:
// unwrapped under the KEK that is token.secrets[0], hardened, and proved by a signature.
Result<Json> RestoreOnToken(LoggedIn& token, const backup::Backup& backup, bool exportable);

}  // namespace keybroker::cli
