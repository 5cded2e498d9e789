#include <string.h>

#include <algorithm>

#include "keybroker/token/token.h"
#include "token/token_info.h"

namespace keybroker::token {
namespace {

// CheckInit explains what C_InitToken says of a token that had an SO PIN before.
Status CheckInit(CK_RV rv) {
  Status status = CheckRv("C_InitToken", rv);
  if (status || rv != CKR_PIN_INCORRECT) return status;
  return Fail(Denied(
      "this is not the token's SO PIN (C_InitToken: CKR_PIN_INCORRECT): the token and its keys "
      "were left as they were. Many tokens lock for good after a few wrong SO PINs",
      rv));
}

// LoginSo logs in to a token that C_InitToken has just given that SO PIN. NSS softoken keeps none:
// a database that has no password yet takes the empty one only.
CK_RV LoginSo(const CK_FUNCTION_LIST& api, CK_SESSION_HANDLE session, const Secret& so_pin) {
  const auto so = so_pin.Expose();
  CK_UTF8CHAR none = 0;
  const CK_RV rv = api.C_Login(session, CKU_SO, const_cast<uint8_t*>(so.data()), so.size());
  const bool again = rv == CKR_PIN_INCORRECT && api.C_Login(session, CKU_SO, &none, 0) == CKR_OK;
  return again ? CKR_OK : rv;
}

Status SetUserPin(const CK_FUNCTION_LIST& api, CK_SESSION_HANDLE session, const Secret& so_pin,
                  const Secret& user_pin) {
  const auto user = user_pin.Expose();
  KB_TRY(CheckRv("C_Login(CKU_SO)", LoginSo(api, session, so_pin)));
  const CK_RV rv = api.C_InitPIN(session, const_cast<uint8_t*>(user.data()), user.size());
  api.C_Logout(session);
  return CheckRv("C_InitPIN", rv);
}

}  // namespace

Status InitToken(const Module& module, CK_SLOT_ID slot, std::string_view label,
                 const Secret& so_pin, const Secret& user_pin, bool overwrite) {
  KB_ASSIGN(const TokenInfo info, ReadTokenInfo(module, slot));
  if ((info.flags & CKF_TOKEN_INITIALIZED) != 0 && !overwrite) {
    return Fail(Denied("the token \"" + info.label +
                       "\" is initialised already; initialising it "
                       "again destroys every key on it"));
  }
  CK_UTF8CHAR padded[32];
  if (label.empty() || label.size() > sizeof padded) {
    return Fail(Malformed("a token's label has 1 to 32 characters"));
  }
  memset(padded, ' ', sizeof padded);
  std::copy(label.begin(), label.end(), padded);
  KB_TRY(CheckPinLength("SO PIN", so_pin, info));
  KB_TRY(CheckPinLength("user PIN", user_pin, info));
  const auto so = so_pin.Expose();
  const CK_FUNCTION_LIST& api = module.api();
  KB_TRY(CheckInit(api.C_InitToken(slot, const_cast<uint8_t*>(so.data()), so.size(), padded)));
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  KB_TRY(CheckRv("C_OpenSession", api.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                                    nullptr, nullptr, &session)));
  Status set = SetUserPin(api, session, so_pin, user_pin);
  api.C_CloseSession(session);
  return set;
}

}  // namespace keybroker::token
