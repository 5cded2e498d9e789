#pragma once

// The project's one door to Cryptoki's C declarations (PKCS#11 v2.40): p11-kit's pkcs11.h, and the
// constants of the standard that its release in Debian 12 lacks.
#include <p11-kit/pkcs11.h>

#ifndef CKA_PUBLIC_KEY_INFO
#define CKA_PUBLIC_KEY_INFO (0x129UL)
#endif
#ifndef CKA_COPYABLE
#define CKA_COPYABLE (0x171UL)
#endif
#ifndef CKA_DESTROYABLE
#define CKA_DESTROYABLE (0x172UL)
#endif
#ifndef CKM_AES_KEY_WRAP_KWP  // v3.0; RFC 5649
#define CKM_AES_KEY_WRAP_KWP (0x210bUL)
#endif
