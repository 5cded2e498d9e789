#pragma once

#include <optional>

#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/token/session.h"
#include "keybroker/wire/sign.h"
#include "tokenhost/served_keys.h"

namespace keybroker::tokenhost {

// CheckSign judges again, behind the broker, that a request is one of the closed set: a listed
// mechanism, offered by this key, with parameters and data that fit each other (PKCS#11 v2.40
// sections 2.1 and 2.3; RFC 8017 section 9). Gives the CK_RV to refuse with, or CKR_OK and, for
// PSS, the parameters to sign with. No allocation: it runs for every signature.
struct SignVerdict {
  CK_RV rv = CKR_OK;
  std::optional<token::PssParameters> pss;
};
SignVerdict CheckSign(const ServedKey& key, const wire::SignRequest& request);

}  // namespace keybroker::tokenhost
