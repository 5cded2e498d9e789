#include "token/read_public.h"

#include <utility>

#include "token/spki.h"

namespace keybroker::token {

using cryptoki::KeyType;

Result<std::vector<uint8_t>> ReadBytes(const Session& session, CK_OBJECT_HANDLE object,
                                       CK_ATTRIBUTE_TYPE type) {
  KB_ASSIGN(auto value, session.Read(object, type));
  return value ? std::move(*value) : std::vector<uint8_t>();
}

Status ReadPublicParts(const Session& session, CK_OBJECT_HANDLE source, KeyPair* key) {
  const bool rsa = key->type == KeyType::kRsa;
  KB_ASSIGN(key->public_first, ReadBytes(session, source, rsa ? CKA_MODULUS : CKA_EC_PARAMS));
  KB_ASSIGN(key->public_second,
            ReadBytes(session, source, rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT));
  if (key->public_first.empty() || key->public_second.empty()) {
    return Fail(NotFound("there is no public key object with its CKA_ID on the token"));
  }
  KB_ASSIGN(const EvpKey public_key, rsa ? RsaPublicKey(key->public_first, key->public_second)
                                         : EcPublicKey(key->public_first, key->public_second));
  if (!rsa) {
    KB_ASSIGN(key->public_second, PointOctetString(key->public_second));
  }
  key->bits = static_cast<uint32_t>(EVP_PKEY_get_bits(public_key.get()));
  KB_ASSIGN(key->spki, Spki(public_key));
  if (EVP_Digest(key->spki.data(), key->spki.size(), key->spki_sha256.data(), nullptr, EVP_sha256(),
                 nullptr) != 1) {
    return Fail(Internal("SHA-256 failed"));
  }
  return {};
}

}  // namespace keybroker::token
