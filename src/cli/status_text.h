#pragma once

#include <string>

#include "cli/answer.h"

namespace keybroker::cli {

// StatusText lays `keybroker status` out for a person: broker, tokens, listeners, warnings.
std::string StatusText(const Json& status);

}  // namespace keybroker::cli
