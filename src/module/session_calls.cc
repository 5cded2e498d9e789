// Session management (PKCS#11 v2.40 section 5.6). Sessions are local: they always open, broker or
// not, and a login is accepted without a look at its PIN, which has no business here.
#include "module/session_call.h"
#include "module/slot.h"

namespace keybroker::module {
namespace {

// Section 5.6, C_CloseSession: with the last session the login ends.
void EndLoginWithLastSession(Process& process) {
  if (process.sessions.open() == 0) process.logged_in = false;
}

CK_STATE StateOf(const Session& session, bool logged_in) {
  if ((session.flags & CKF_RW_SESSION) != 0) {
    return logged_in ? CKS_RW_USER_FUNCTIONS : CKS_RW_PUBLIC_SESSION;
  }
  return logged_in ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
}

}  // namespace
}  // namespace keybroker::module

using namespace keybroker::module;

CK_RV C_OpenSession(CK_SLOT_ID slotID, CK_FLAGS flags, void*, CK_NOTIFY,
                    CK_SESSION_HANDLE* phSession) {
  const Call call;
  const CK_RV rv = CheckSlot(call, slotID);
  if (rv != CKR_OK) return rv;
  if (phSession == nullptr) return CKR_ARGUMENTS_BAD;
  if ((flags & CKF_SERIAL_SESSION) == 0) return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
  return call.process().sessions.Open(flags & (CKF_SERIAL_SESSION | CKF_RW_SESSION), phSession);
}

CK_RV C_CloseSession(CK_SESSION_HANDLE hSession) {
  SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  call.Close();
  EndLoginWithLastSession(call.call().process());
  return CKR_OK;
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slotID) {
  const Call call;
  const CK_RV rv = CheckSlot(call, slotID);
  if (rv != CKR_OK) return rv;
  call.process().sessions.CloseAll();
  EndLoginWithLastSession(call.process());
  return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE hSession, CK_SESSION_INFO* pInfo) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  if (pInfo == nullptr) return CKR_ARGUMENTS_BAD;
  pInfo->slotID = kSlot;
  pInfo->state = StateOf(call.session(), call.call().process().logged_in.load());
  pInfo->flags = call.session().flags;
  pInfo->ulDeviceError = 0;
  return CKR_OK;
}

// CKU_SO and CKU_CONTEXT_SPECIFIC are accepted too, and change nothing.
CK_RV C_Login(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, unsigned char* pPin,
              CK_ULONG ulPinLen) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  if (pPin == nullptr && ulPinLen != 0) return CKR_ARGUMENTS_BAD;
  if (userType > CKU_CONTEXT_SPECIFIC) return CKR_USER_TYPE_INVALID;
  if (userType != CKU_USER) return CKR_OK;
  const bool already = call.call().process().logged_in.exchange(true);
  return already ? CKR_USER_ALREADY_LOGGED_IN : CKR_OK;
}

CK_RV C_Logout(CK_SESSION_HANDLE hSession) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  return call.call().process().logged_in.exchange(false) ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}
