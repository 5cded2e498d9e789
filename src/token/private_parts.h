#pragma once

#include <utility>
#include <vector>

#include "keybroker/cryptoki/key_type.h"
#include "keybroker/token/session.h"

namespace keybroker::token {

using SecretAttribute = std::pair<CK_ATTRIBUTE_TYPE, Secret>;

// PrivateParts are the secret attributes of a PKCS#8 PrivateKeyInfo, for C_CreateObject (PKCS#11
// v2.40 sections 2.1.3 and 2.3.4): CKA_PRIVATE_EXPONENT and the CRT numbers, or CKA_VALUE.
Result<std::vector<SecretAttribute>> PrivateParts(cryptoki::KeyType type, const Secret& pkcs8);

// CreateWithSecrets is Session::Create with secret attributes, which are copied nowhere on the way.
Result<CK_OBJECT_HANDLE> CreateWithSecrets(const Session& session, const Attributes& object,
                                           const std::vector<SecretAttribute>& secrets);

}  // namespace keybroker::token
