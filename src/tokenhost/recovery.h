#pragma once

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::tokenhost {

// Recovery is what may make a failed call work (PKCS#11 v2.40 section 5.1).
enum class Recovery {
  kNone,        // the answer stands
  kNewSession,  // the session is gone
  kLogin,       // the login is gone
  kFindKeys,    // the object handle is no longer that key's
  kFindToken,   // the token is gone, or the module has lost it
  kWrongPin,    // the PIN is refused: no further try with it
};

// RecoveryFor maps the CK_RV of a signature.
Recovery RecoveryFor(CK_RV rv);

}  // namespace keybroker::tokenhost
