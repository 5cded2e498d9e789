#pragma once

#include <string_view>

#include "keybroker/base/result.h"
#include "keybroker/token/token.h"

namespace keybroker::token {

// ReadTokenInfo is C_GetTokenInfo of slot with the padding taken off.
Result<TokenInfo> ReadTokenInfo(const Module& module, CK_SLOT_ID slot);

// CheckPinLength is Malformed, with the legal lengths, when the token could not take the PIN: asked
// before anything is changed on it. name says which PIN.
Status CheckPinLength(std::string_view name, const Secret& pin, const TokenInfo& info);

}  // namespace keybroker::token
