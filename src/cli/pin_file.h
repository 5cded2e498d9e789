#pragma once

#include <string>

#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"

namespace keybroker::cli {

// ProblemWithPinFile says what is wrong with a token's pin_file and what to do: it is missing, not
// the token user's, or open to others. Empty: nothing, or none is configured. The PIN is not read.
std::string ProblemWithPinFile(const config::Settings& settings, const token::TokenConfig& config);

}  // namespace keybroker::cli
