// Random number generation (PKCS#11 v2.40 section 5.14): the kernel's, without a round trip. Hosts
// such as pkcs11-provider call it for themselves; a token's would be no better.
#include <errno.h>
#include <sys/random.h>

#include "module/session_call.h"

using namespace keybroker::module;

CK_RV C_SeedRandom(CK_SESSION_HANDLE hSession, unsigned char*, CK_ULONG) {
  const SessionCall call(hSession);
  return call.rv() != CKR_OK ? call.rv() : CKR_RANDOM_SEED_NOT_SUPPORTED;
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE hSession, unsigned char* pRandomData,
                       CK_ULONG ulRandomLen) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  if (pRandomData == nullptr && ulRandomLen != 0) return CKR_ARGUMENTS_BAD;
  while (ulRandomLen != 0) {
    const ssize_t size = getrandom(pRandomData, ulRandomLen, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return CKR_FUNCTION_FAILED;
    pRandomData += size;
    ulRandomLen -= static_cast<CK_ULONG>(size);
  }
  return CKR_OK;
}
