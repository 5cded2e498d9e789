#pragma once

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::cryptoki {

// RvName is the standard name of a CK_RV, such as "CKR_PIN_LOCKED", or "CKR_?" for one that the
// standard does not name. A string with static lifetime.
const char* RvName(CK_RV rv);

// MechanismName is the standard name of a mechanism, or "CKM_?".
const char* MechanismName(CK_MECHANISM_TYPE mechanism);

}  // namespace keybroker::cryptoki
