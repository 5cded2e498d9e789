#pragma once

#include <vector>

#include "cli/key_choice.h"
#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/token/key_pair.h"

namespace keybroker::cli {

// MatchKey finds the key of the wish whose public key the first certificate holds, of any
// generation. Malformed says which key it does fit, that a later certificate is the leaf, or that
// no key of the token fits; NotFound that the name has no key.
Result<const token::KeyPair*> MatchKey(const token::KeyList& keys, const KeyWish& wish,
                                       const std::vector<credential::Certificate>& certificates);

}  // namespace keybroker::cli
