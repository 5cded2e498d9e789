#pragma once

#include "keybroker/cryptoki/cryptoki.h"
#include "module/refresh.h"

namespace keybroker::module {

// kSlot is the one slot: the broker, as this listener's socket shows it.
inline constexpr CK_SLOT_ID kSlot = 0;

// CheckSlot is the first check of a call that takes a slot: CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED or
// CKR_SLOT_ID_INVALID.
CK_RV CheckSlot(const Call& call, CK_SLOT_ID slot);

// CheckToken asks for the token: CKR_OK, CKR_TOKEN_NOT_PRESENT when broker or token is away, or the
// refusal when the broker turns this process away.
CK_RV CheckToken(const Call& call, Need need, CatalogueHold* catalogue);

}  // namespace keybroker::module
