#include "tokenhost/recovery.h"

namespace keybroker::tokenhost {

Recovery RecoveryFor(CK_RV rv) {
  switch (rv) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_OPERATION_ACTIVE:  // left over by a call that failed half-way
      return Recovery::kNewSession;
    case CKR_USER_NOT_LOGGED_IN:
      return Recovery::kLogin;
    case CKR_KEY_HANDLE_INVALID:
    case CKR_OBJECT_HANDLE_INVALID:
      return Recovery::kFindKeys;
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SLOT_ID_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
      return Recovery::kFindToken;
    case CKR_PIN_INCORRECT:
    case CKR_PIN_LOCKED:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      return Recovery::kWrongPin;
    default:
      return Recovery::kNone;
  }
}

}  // namespace keybroker::tokenhost
