// A PKCS#11 module for tests: SoftHSM2, logged in by itself and saying that no login is required,
// as the keybroker module does. KB_TEST_PIN is the token's PIN.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "keybroker/cryptoki/cryptoki.h"

namespace {

CK_FUNCTION_LIST* softhsm = nullptr;
CK_FUNCTION_LIST list;

CK_RV OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void* application, CK_NOTIFY notify,
                  CK_SESSION_HANDLE* session) {
  CK_RV rv = softhsm->C_OpenSession(slot, flags, application, notify, session);
  char* pin = getenv("KB_TEST_PIN");
  if (rv == CKR_OK && pin != nullptr) {
    softhsm->C_Login(*session, CKU_USER, reinterpret_cast<unsigned char*>(pin), strlen(pin));
  }
  return rv;
}

CK_RV GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
  CK_RV rv = softhsm->C_GetTokenInfo(slot, info);
  if (rv == CKR_OK) info->flags &= ~CK_FLAGS{CKF_LOGIN_REQUIRED};
  return rv;
}

// SoftHSM refuses a pReserved, and the engine passes the socket's there.
CK_RV Initialize(void* args) {
  CK_C_INITIALIZE_ARGS copy{};
  copy.flags = CKF_OS_LOCKING_OK;
  return softhsm->C_Initialize(args == nullptr ? nullptr : &copy);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** out) {
  void* object = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) return CKR_GENERAL_ERROR;
  auto entry = reinterpret_cast<CK_C_GetFunctionList>(dlsym(object, "C_GetFunctionList"));
  CK_RV rv = entry(&softhsm);
  if (rv != CKR_OK) return rv;
  list = *softhsm;
  list.C_OpenSession = OpenSession;
  list.C_GetTokenInfo = GetTokenInfo;
  list.C_Initialize = Initialize;
  *out = &list;
  return CKR_OK;
}
