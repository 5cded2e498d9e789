#pragma once

#include "keybroker/token/key_pair.h"

namespace keybroker::token {

// ProveKey has the token sign a random digest and verifies it with the public key. TokenFailed when
// the two do not belong together.
Status ProveKey(const Session& session, const KeyPair& key);

}  // namespace keybroker::token
