// C_GetMechanismList and C_GetMechanismInfo (PKCS#11 v2.40 section 5.5). What they show is what
// some visible key permits: the same rule that C_SignInit applies to one key.
#include "keybroker/cryptoki/mechanism.h"
#include "module/fill.h"
#include "module/slot.h"

namespace keybroker::module {
namespace {

// The range of the sizes, in bits, of the keys that permit a mechanism; max 0: none does.
struct KeySizes {
  CK_ULONG min = 0;
  CK_ULONG max = 0;
};

KeySizes SizesFor(const Catalogue& catalogue, CK_MECHANISM_TYPE mechanism) {
  KeySizes sizes;
  for (const Key& key : catalogue.keys()) {
    if (!key.Permits(mechanism)) continue;
    const CK_ULONG bits = key.entry.bits;
    if (sizes.max == 0 || bits < sizes.min) sizes.min = bits;
    if (bits > sizes.max) sizes.max = bits;
  }
  return sizes;
}

}  // namespace
}  // namespace keybroker::module

using namespace keybroker::module;
using keybroker::cryptoki::AllSignMechanisms;

CK_RV C_GetMechanismList(CK_SLOT_ID slotID, CK_MECHANISM_TYPE* pMechanismList, CK_ULONG* pulCount) {
  const Call call;
  CK_RV rv = CheckSlot(call, slotID);
  if (rv != CKR_OK) return rv;
  if (pulCount == nullptr) return CKR_ARGUMENTS_BAD;
  CatalogueHold catalogue;
  rv = CheckToken(call, Need::kKeys, &catalogue);
  if (rv != CKR_OK) return rv;
  CK_MECHANISM_TYPE list[keybroker::wire::kMaxMechanisms];
  size_t count = 0;
  for (const auto& mechanism : AllSignMechanisms()) {
    if (SizesFor(*catalogue.get(), mechanism.type).max != 0) list[count++] = mechanism.type;
  }
  return FillList(std::span<const CK_MECHANISM_TYPE>(list, count), pMechanismList, pulCount);
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slotID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO* pInfo) {
  const Call call;
  CK_RV rv = CheckSlot(call, slotID);
  if (rv != CKR_OK) return rv;
  if (pInfo == nullptr) return CKR_ARGUMENTS_BAD;
  const auto* mechanism = keybroker::cryptoki::FindSignMechanism(type);
  if (mechanism == nullptr) return CKR_MECHANISM_INVALID;
  CatalogueHold catalogue;
  rv = CheckToken(call, Need::kKeys, &catalogue);
  if (rv != CKR_OK) return rv;
  const KeySizes sizes = SizesFor(*catalogue.get(), type);
  if (sizes.max == 0) return CKR_MECHANISM_INVALID;
  pInfo->ulMinKeySize = sizes.min;
  pInfo->ulMaxKeySize = sizes.max;
  pInfo->flags = CKF_SIGN;
  if (mechanism->key_type == keybroker::cryptoki::KeyType::kEc) {
    pInfo->flags |= CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;
  }
  return CKR_OK;
}
