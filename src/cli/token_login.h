#pragma once

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"
#include "keybroker/token/pin_guard.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {

// GuardOf opens the PIN guard's record of a token, the one that its tokenhost uses too. name is the
// token's in the configuration.
Result<token::PinGuard> GuardOf(const config::Settings& settings, const token::Token& token,
                                const std::string& name, token::PinOrigin origin);

// LogIn logs the user in under the guard. A wrong PIN's error says that it was tried once, what
// lets it be tried again, and whom that keeps waiting.
Status LogIn(const config::Settings& settings, const token::TokenConfig& config,
             token::Token& token, const Secret& pin, token::PinOrigin origin);

}  // namespace keybroker::cli
