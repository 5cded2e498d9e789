#pragma once

#include <cstdint>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/cryptoki/key_type.h"
#include "keybroker/token/openssl.h"
#include "keybroker/token/session.h"

namespace keybroker::token {

// RsaPublicKey makes the public key of CKA_MODULUS and CKA_PUBLIC_EXPONENT (big-endian).
Result<EvpKey> RsaPublicKey(Bytes modulus, Bytes exponent);

// EcPublicKey makes that of CKA_EC_PARAMS (DER OID of a named curve) and CKA_EC_POINT, which the
// standard makes a DER OCTET STRING and some tokens the bare point (v2.40 section 2.3.3).
Result<EvpKey> EcPublicKey(Bytes params, Bytes point);

// Spki is the key's DER SubjectPublicKeyInfo (RFC 5280 section 4.1).
Result<std::vector<uint8_t>> Spki(const EvpKey& key);

// PublicParts is what a public key object holds: CKA_MODULUS and CKA_PUBLIC_EXPONENT, or
// CKA_EC_PARAMS and CKA_EC_POINT (a DER OCTET STRING).
struct PublicParts {
  std::vector<uint8_t> first;
  std::vector<uint8_t> second;
};

// PartsOf takes a DER SubjectPublicKeyInfo of type apart.
Result<PublicParts> PartsOf(cryptoki::KeyType type, Bytes spki);

// PointOctetString is point as the DER OCTET STRING, whichever form the token gave it in.
Result<std::vector<uint8_t>> PointOctetString(Bytes point);

}  // namespace keybroker::token
