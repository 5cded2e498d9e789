#pragma once

#include <vector>

#include "cli/answer.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"
#include "keybroker/token/leftovers.h"

namespace keybroker::cli {

// LeftoversJson is a list of sentences, for the way out of the token's process.
Json LeftoversJson(const std::vector<token::Leftover>& leftovers);

// LookForLeftovers logs in to look, with the PIN that the tokenhost uses. An empty list without a
// look where that is not to be had without asking, or would take the token from its tokenhost.
Result<Json> LookForLeftovers(const config::Settings& settings, const token::TokenConfig& config);

}  // namespace keybroker::cli
