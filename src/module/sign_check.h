#pragma once

#include "module/catalogue.h"
#include "module/session.h"

namespace keybroker::module {

// CheckSignInit fills operation in from C_SignInit's mechanism and the key's catalogue entry, or
// says what is wrong: CKR_MECHANISM_INVALID, CKR_KEY_TYPE_INCONSISTENT,
// CKR_MECHANISM_PARAM_INVALID, CKR_KEY_SIZE_RANGE (PKCS#11 v2.40 section 5.11). The broker checks
// all of it again.
CK_RV CheckSignInit(const CK_MECHANISM& mechanism, const Key& key, SignOperation* operation);

// CheckSignSize is whether the operation takes data of size bytes: CKR_OK or CKR_DATA_LEN_RANGE.
CK_RV CheckSignSize(const SignOperation& operation, size_t size);

// SignatureSize is the size in bytes of the signature it will make.
size_t SignatureSize(const SignOperation& operation);

}  // namespace keybroker::module
