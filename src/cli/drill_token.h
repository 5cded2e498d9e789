#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/session.h"

namespace keybroker::cli {

// DrillWork restores backups in a session; nothing of it outlives the session.
using DrillWork =
    std::function<Result<Json>(const token::Session& session, std::span<const Secret> keks)>;

// RunOnScratchToken makes a SoftHSM2 token of its own in memory (/dev/shm, else /tmp) with random
// PINs, does work as the token user, and removes the token: Internal when its folder is still there
// afterwards. The result gets "token", and "destroyed": true.
Result<Json> RunOnScratchToken(const std::string& module, const std::vector<const Secret*>& keks,
                               const DrillWork& work);

}  // namespace keybroker::cli
