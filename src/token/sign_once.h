#pragma once

#include <optional>
#include <vector>

#include "keybroker/token/session.h"

namespace keybroker::token {

// SignCall is one C_SignInit and C_Sign, exactly as the token gets them.
struct SignCall {
  CK_MECHANISM_TYPE mechanism;
  std::optional<PssParameters> pss;
  Bytes data;
  const Secret* context_pin = nullptr;  // for CKA_ALWAYS_AUTHENTICATE
};

// SignOnce makes the two calls, and C_Login(CKU_CONTEXT_SPECIFIC) between them when a PIN is given.
Result<std::vector<uint8_t>> SignOnce(const Session& session, CK_OBJECT_HANDLE key,
                                      const SignCall& call);

}  // namespace keybroker::token
