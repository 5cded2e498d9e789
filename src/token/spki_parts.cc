#include <openssl/core_names.h>

#include "token/spki.h"

namespace keybroker::token {
namespace {

Result<std::vector<uint8_t>> Number(const EVP_PKEY* key, const char* name) {
  BIGNUM* value = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &value) != 1) {
    return Fail(Malformed("the public key is not an RSA key"));
  }
  const BigNumber number(value);
  std::vector<uint8_t> bytes(static_cast<size_t>(BN_num_bytes(value)));
  BN_bn2bin(value, bytes.data());
  return bytes;
}

Result<PublicParts> RsaParts(X509_PUBKEY* info) {
  const EVP_PKEY* key = X509_PUBKEY_get0(info);
  if (key == nullptr || EVP_PKEY_is_a(key, "RSA") != 1) {
    return Fail(Malformed("the public key is not an RSA key"));
  }
  PublicParts parts;
  KB_ASSIGN(parts.first, Number(key, OSSL_PKEY_PARAM_RSA_N));
  KB_ASSIGN(parts.second, Number(key, OSSL_PKEY_PARAM_RSA_E));
  return parts;
}

Result<PublicParts> EcParts(X509_PUBKEY* info) {
  const uint8_t* point = nullptr;
  int point_size = 0;
  X509_ALGOR* algorithm = nullptr;
  const void* curve = nullptr;
  int curve_type = 0;
  if (X509_PUBKEY_get0_param(nullptr, &point, &point_size, &algorithm, info) != 1) {
    return Fail(Malformed("not a SubjectPublicKeyInfo"));
  }
  const ASN1_OBJECT* kind = nullptr;
  X509_ALGOR_get0(&kind, &curve_type, &curve, algorithm);
  if (OBJ_obj2nid(kind) != NID_X9_62_id_ecPublicKey || curve_type != V_ASN1_OBJECT) {
    return Fail(Malformed("the public key is not an EC key on a named curve"));
  }
  uint8_t* der = nullptr;
  const int size = i2d_ASN1_OBJECT(static_cast<const ASN1_OBJECT*>(curve), &der);
  if (size <= 0) return Fail(Internal("the curve's OID cannot be encoded"));
  PublicParts parts;
  parts.first.assign(der, der + size);
  OPENSSL_free(der);
  KB_ASSIGN(parts.second, PointOctetString(Bytes(point, static_cast<size_t>(point_size))));
  return parts;
}

}  // namespace

Result<PublicParts> PartsOf(cryptoki::KeyType type, Bytes spki) {
  const uint8_t* at = spki.data();
  const std::unique_ptr<X509_PUBKEY, decltype(&X509_PUBKEY_free)> info(
      d2i_X509_PUBKEY(nullptr, &at, static_cast<long>(spki.size())), X509_PUBKEY_free);
  if (info == nullptr || at != spki.data() + spki.size()) {
    return Fail(Malformed("not a SubjectPublicKeyInfo"));
  }
  return type == cryptoki::KeyType::kRsa ? RsaParts(info.get()) : EcParts(info.get());
}

}  // namespace keybroker::token
