// What no listener may have: default deny. Each is CKR_FUNCTION_NOT_SUPPORTED, which every function
// may return (PKCS#11 v2.40 section 5.1.6), and nothing of it exists on the wire. C_InitToken,
// which takes a slot, is in slot.cc.
#include "keybroker/cryptoki/cryptoki.h"

namespace {

constexpr CK_RV kNo = CKR_FUNCTION_NOT_SUPPORTED;

}  // namespace

using Session = CK_SESSION_HANDLE;
using Object = CK_OBJECT_HANDLE;
using Bytes = unsigned char*;
using Size = CK_ULONG;
using SizeOut = CK_ULONG*;
using Mechanism = CK_MECHANISM*;
using Template = CK_ATTRIBUTE*;

// Section 5.5 and 5.6: PINs and operation states.
CK_RV C_InitPIN(Session, Bytes, Size) { return kNo; }
CK_RV C_SetPIN(Session, Bytes, Size, Bytes, Size) { return kNo; }
CK_RV C_GetOperationState(Session, Bytes, SizeOut) { return kNo; }
CK_RV C_SetOperationState(Session, Bytes, Size, Object, Object) { return kNo; }

// Section 5.7: changes of objects.
CK_RV C_CreateObject(Session, Template, Size, Object*) { return kNo; }
CK_RV C_CopyObject(Session, Object, Template, Size, Object*) { return kNo; }
CK_RV C_DestroyObject(Session, Object) { return kNo; }
CK_RV C_GetObjectSize(Session, Object, SizeOut) { return kNo; }
CK_RV C_SetAttributeValue(Session, Object, Template, Size) { return kNo; }

// Sections 5.8 and 5.9: encryption and decryption.
CK_RV C_EncryptInit(Session, Mechanism, Object) { return kNo; }
CK_RV C_Encrypt(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_EncryptUpdate(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_EncryptFinal(Session, Bytes, SizeOut) { return kNo; }
CK_RV C_DecryptInit(Session, Mechanism, Object) { return kNo; }
CK_RV C_Decrypt(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_DecryptUpdate(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_DecryptFinal(Session, Bytes, SizeOut) { return kNo; }

// Section 5.10: message digesting.
CK_RV C_DigestInit(Session, Mechanism) { return kNo; }
CK_RV C_Digest(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_DigestUpdate(Session, Bytes, Size) { return kNo; }
CK_RV C_DigestKey(Session, Object) { return kNo; }
CK_RV C_DigestFinal(Session, Bytes, SizeOut) { return kNo; }

// Section 5.11: signatures from which the data can be recovered.
CK_RV C_SignRecoverInit(Session, Mechanism, Object) { return kNo; }
CK_RV C_SignRecover(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }

// Section 5.12: verification.
CK_RV C_VerifyInit(Session, Mechanism, Object) { return kNo; }
CK_RV C_Verify(Session, Bytes, Size, Bytes, Size) { return kNo; }
CK_RV C_VerifyUpdate(Session, Bytes, Size) { return kNo; }
CK_RV C_VerifyFinal(Session, Bytes, Size) { return kNo; }
CK_RV C_VerifyRecoverInit(Session, Mechanism, Object) { return kNo; }
CK_RV C_VerifyRecover(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }

// Section 5.13: dual-function operations.
CK_RV C_DigestEncryptUpdate(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_DecryptDigestUpdate(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_SignEncryptUpdate(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }
CK_RV C_DecryptVerifyUpdate(Session, Bytes, Size, Bytes, SizeOut) { return kNo; }

// Section 5.13: key management.
CK_RV C_GenerateKey(Session, Mechanism, Template, Size, Object*) { return kNo; }
CK_RV C_GenerateKeyPair(Session, Mechanism, Template, Size, Template, Size, Object*, Object*) {
  return kNo;
}
CK_RV C_WrapKey(Session, Mechanism, Object, Object, Bytes, SizeOut) { return kNo; }
CK_RV C_UnwrapKey(Session, Mechanism, Object, Bytes, Size, Template, Size, Object*) { return kNo; }
CK_RV C_DeriveKey(Session, Mechanism, Object, Template, Size, Object*) { return kNo; }
