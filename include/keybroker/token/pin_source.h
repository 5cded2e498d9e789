#pragma once

#include <optional>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/config.h"

namespace keybroker::token {

// ReadPin takes the PIN from the configured source: a systemd credential (a file in
// $CREDENTIALS_DIRECTORY), or a file that only its user reads. Nothing when neither is configured:
// the operator gives it by `keybroker token unlock`.
Result<std::optional<Secret>> ReadPin(const TokenConfig& config);

}  // namespace keybroker::token
