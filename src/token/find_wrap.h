#pragma once

#include <optional>

#include "keybroker/token/key_wrap.h"

namespace keybroker::token {

// FindWrap is the first probed mechanism, or the one of algorithm; TokenFailed tells what was
// tried.
Result<WrapMechanism> FindWrap(const Session& session, std::optional<WrapAlgorithm> algorithm);

}  // namespace keybroker::token
