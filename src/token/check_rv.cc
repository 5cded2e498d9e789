#include <cstdio>
#include <string>

#include "keybroker/cryptoki/names.h"
#include "keybroker/token/module.h"

namespace keybroker::token {
namespace {

// A vendor's own code has no name, so its number is all there is to look up.
std::string Named(CK_RV rv) {
  std::string name = cryptoki::RvName(rv);
  if (name != "CKR_?") return name;
  char number[32];
  std::snprintf(number, sizeof number, " (0x%lX)", rv);
  return name + number;
}

}  // namespace

Status CheckRv(const char* what, CK_RV rv) {
  if (rv == CKR_OK) return {};
  const std::string text = std::string(what) + ": " + Named(rv);
  switch (rv) {
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_DEVICE_REMOVED:
    case CKR_SLOT_ID_INVALID:
      return Fail(Unavailable(text + "; is the token plugged in?", rv));
    case CKR_PIN_INCORRECT:
      return Fail(Denied(text + ": the PIN is wrong", rv));
    case CKR_PIN_LOCKED:
      return Fail(Denied(text + ": the token has locked the PIN; the SO must set a new one", rv));
    case CKR_TOKEN_WRITE_PROTECTED:
      return Fail(Denied(text + ": the token is write-protected; take the protection off (the "
                                "vendor's manual says how), or use another token",
                         rv));
    default:
      return Fail(TokenFailed(text, rv));
  }
}

}  // namespace keybroker::token
