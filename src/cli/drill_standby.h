#pragma once

#include <string>
#include <string_view>

#include "cli/backup_record.h"
#include "cli/challenge.h"
#include "cli/token_access.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// How a drill of an external backup can fail, beside "standby-absent" and "standby-refused": the
// token could not be found, or let nobody in.
inline constexpr std::string_view kSameToken = "same-token";       // the key was recorded from it
inline constexpr std::string_view kNoKey = "no-key";               // nothing like it is there
inline constexpr std::string_view kOtherKey = "other-key";         // what is there is another key
inline constexpr std::string_view kDoesNotSign = "does-not-sign";  // the token's call failed

// TryStandby runs in the standby token's process, which is only read: it looks for the key on
// record (by its public key, else by CKA_ID or name) and has it sign the challenge. Fields:
// "signature" (hex), which CheckStandby verifies, "code" and "failure" (both empty: it is the key,
// and it signed), "token" (IdentityJson), "mechanism", "ms", and "lacks", what keeps listeners from
// being served by it: "no certificate of it".
Result<Json> TryStandby(const LoggedIn& standby, const BackupRecord& record,
                        const Challenge& challenge);

// CheckStandby verifies, in the command's own process, that a result without a code has a signature
// of the key on record: that of a vendor's module that lies gets kDoesNotSign.
Result<Json> CheckStandby(Json result, const BackupRecord& record, const Challenge& challenge);

}  // namespace keybroker::cli
