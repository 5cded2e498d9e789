#pragma once

#include "keybroker/token/key_pair.h"

namespace keybroker::token {

// ReadPublicParts fills public_first and _second, bits, spki and spki_sha256 of key, whose type is
// known, from the attributes of source. NotFound when it does not have them.
Status ReadPublicParts(const Session& session, CK_OBJECT_HANDLE source, KeyPair* key);

// ReadBytes is an attribute's value, empty where the object does not have it.
Result<std::vector<uint8_t>> ReadBytes(const Session& session, CK_OBJECT_HANDLE object,
                                       CK_ATTRIBUTE_TYPE type);

}  // namespace keybroker::token
