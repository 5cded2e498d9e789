// Slot and token management (PKCS#11 v2.40 section 5.5); mechanisms are in mechanism_list.cc.
#include "module/slot.h"

#include "module/fill.h"

namespace keybroker::module {
namespace {

constexpr CK_VERSION kVersion = {0, 1};
constexpr CK_ULONG kMaxPinLength = 255;

// The listener's name tells an operator which socket this is.
void DescribeToken(const Process& process, CK_TOKEN_INFO* info) {
  *info = {};
  FillText(info->label, "keybroker");
  FillText(info->manufacturerID, "keybroker");
  FillText(info->model, "broker");
  FillText(info->serialNumber, process.view.listener());
  // No CKF_LOGIN_REQUIRED: there is no PIN on this side.
  info->flags = CKF_RNG | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED;
  info->ulMaxSessionCount = kMaxSessions;
  info->ulSessionCount = process.sessions.open();
  info->ulMaxRwSessionCount = kMaxSessions;
  info->ulRwSessionCount = process.sessions.open_read_write();
  info->ulMaxPinLen = kMaxPinLength;
  info->ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION;
  info->ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
  info->ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION;
  info->ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
  info->hardwareVersion = kVersion;
  info->firmwareVersion = kVersion;
  FillText(info->utcTime, {});
}

}  // namespace

CK_RV CheckSlot(const Call& call, CK_SLOT_ID slot) {
  if (!call.initialized()) return CKR_CRYPTOKI_NOT_INITIALIZED;
  return slot == kSlot ? CKR_OK : CKR_SLOT_ID_INVALID;
}

CK_RV CheckToken(const Call& call, Need need, CatalogueHold* catalogue) {
  const CK_RV rv = Refresh(call, need, catalogue);
  if (rv == CKR_DEVICE_ERROR) return CKR_TOKEN_NOT_PRESENT;
  if (rv != CKR_OK) return rv;
  const Hold hold(call.process().mutex);
  return call.process().view.token_present() ? CKR_OK : CKR_TOKEN_NOT_PRESENT;
}

}  // namespace keybroker::module

using namespace keybroker::module;

CK_RV C_GetSlotList(CK_BBOOL tokenPresent, CK_SLOT_ID* pSlotList, CK_ULONG* pulCount) {
  const Call call;
  if (!call.initialized()) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (pulCount == nullptr) return CKR_ARGUMENTS_BAD;
  const CK_SLOT_ID slots[] = {kSlot};
  std::span<const CK_SLOT_ID> shown(slots);
  if (tokenPresent != CK_FALSE) {
    CatalogueHold none;
    const CK_RV rv = CheckToken(call, Need::kPresence, &none);
    if (rv == CKR_TOKEN_NOT_PRESENT) shown = {};
    if (rv != CKR_OK && rv != CKR_TOKEN_NOT_PRESENT) return rv;
  }
  return FillList(shown, pSlotList, pulCount);
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slotID, CK_SLOT_INFO* pInfo) {
  const Call call;
  CK_RV rv = CheckSlot(call, slotID);
  if (rv != CKR_OK) return rv;
  if (pInfo == nullptr) return CKR_ARGUMENTS_BAD;
  CatalogueHold none;
  rv = CheckToken(call, Need::kPresence, &none);
  if (!call.alive()) return CKR_CRYPTOKI_NOT_INITIALIZED;
  *pInfo = {};
  FillText(pInfo->slotDescription, "keybroker");
  FillText(pInfo->manufacturerID, "keybroker");
  // Removable: only then may CKF_TOKEN_PRESENT be absent (section 3.2).
  pInfo->flags = CKF_REMOVABLE_DEVICE | (rv == CKR_OK ? CKF_TOKEN_PRESENT : 0);
  pInfo->hardwareVersion = kVersion;
  pInfo->firmwareVersion = kVersion;
  return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slotID, CK_TOKEN_INFO* pInfo) {
  const Call call;
  CK_RV rv = CheckSlot(call, slotID);
  if (rv != CKR_OK) return rv;
  if (pInfo == nullptr) return CKR_ARGUMENTS_BAD;
  CatalogueHold none;
  rv = CheckToken(call, Need::kPresence, &none);
  if (rv != CKR_OK) return rv;
  const Hold hold(call.process().mutex);
  DescribeToken(call.process(), pInfo);
  return CKR_OK;
}

// To wait for an event would keep the host's thread in here for ever; hosts poll instead.
CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID* pSlot, void* pReserved) {
  const Call call;
  if (!call.initialized()) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (pSlot == nullptr || pReserved != nullptr) return CKR_ARGUMENTS_BAD;
  return (flags & CKF_DONT_BLOCK) != 0 ? CKR_NO_EVENT : CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV C_InitToken(CK_SLOT_ID slotID, unsigned char*, CK_ULONG, unsigned char*) {
  const Call call;
  const CK_RV rv = CheckSlot(call, slotID);
  return rv != CKR_OK ? rv : CKR_FUNCTION_NOT_SUPPORTED;
}
