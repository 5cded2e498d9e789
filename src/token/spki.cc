#include "token/spki.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include "keybroker/token/key_pair.h"

namespace keybroker::token {
namespace {

struct ParamsFree {
  void operator()(OSSL_PARAM_BLD* p) const { OSSL_PARAM_BLD_free(p); }
  void operator()(OSSL_PARAM* p) const { OSSL_PARAM_free(p); }
  void operator()(ASN1_OBJECT* p) const { ASN1_OBJECT_free(p); }
  void operator()(ASN1_OCTET_STRING* p) const { ASN1_OCTET_STRING_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, ParamsFree>;

Result<EvpKey> FromParams(const char* algorithm, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder));
  const EvpKeyCtx ctx(EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || ctx == nullptr || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return Fail(Malformed("the token's public key values are not a public key"));
  }
  return EvpKey(key);
}

bool IsUncompressedPoint(Bytes bytes) { return bytes.size() % 2 == 1 && bytes[0] == 0x04; }

// BarePoint is what the OCTET STRING holds, or the point itself where the token left it out.
Result<std::vector<uint8_t>> BarePoint(Bytes point) {
  const uint8_t* at = point.data();
  const Owned<ASN1_OCTET_STRING> octets(
      point.empty() ? nullptr
                    : d2i_ASN1_OCTET_STRING(nullptr, &at, static_cast<long>(point.size())));
  if (octets != nullptr && at == point.data() + point.size()) {
    const uint8_t* data = ASN1_STRING_get0_data(octets.get());
    const Bytes bare(data, static_cast<size_t>(ASN1_STRING_length(octets.get())));
    if (!bare.empty() && IsUncompressedPoint(bare)) return std::vector(bare.begin(), bare.end());
  }
  if (!point.empty() && IsUncompressedPoint(point)) return std::vector(point.begin(), point.end());
  return Fail(Malformed("CKA_EC_POINT is not an uncompressed point"));
}

}  // namespace

Result<EvpKey> RsaPublicKey(Bytes modulus, Bytes exponent) {
  const BigNumber n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
  const BigNumber e(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || BN_is_zero(n.get()) || BN_is_zero(e.get()) ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return Fail(Malformed("the token's modulus and exponent are not an RSA public key"));
  }
  return FromParams("RSA", builder.get());
}

Result<EvpKey> EcPublicKey(Bytes params, Bytes point) {
  const uint8_t* at = params.data();
  const Owned<ASN1_OBJECT> curve(
      params.empty() ? nullptr : d2i_ASN1_OBJECT(nullptr, &at, static_cast<long>(params.size())));
  if (curve == nullptr || at != params.data() + params.size()) {
    return Fail(Malformed("CKA_EC_PARAMS is not the OID of a named curve"));
  }
  KB_ASSIGN(const auto bare, BarePoint(point));
  const char* name = OBJ_nid2sn(OBJ_obj2nid(curve.get()));
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (name == nullptr || builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, name, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, bare.data(),
                                       bare.size()) != 1) {
    return Fail(Malformed("the token's curve and point are not an EC public key"));
  }
  return FromParams("EC", builder.get());
}

Result<std::vector<uint8_t>> Spki(const EvpKey& key) {
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  if (size <= 0) return Fail(Internal("the public key cannot be encoded"));
  std::vector<uint8_t> out(der, der + size);
  OPENSSL_free(der);
  return out;
}

Result<std::vector<uint8_t>> PointOctetString(Bytes point) {
  KB_ASSIGN(const auto bare, BarePoint(point));
  const Owned<ASN1_OCTET_STRING> octets(ASN1_OCTET_STRING_new());
  uint8_t* der = nullptr;
  if (octets == nullptr ||
      ASN1_OCTET_STRING_set(octets.get(), bare.data(), static_cast<int>(bare.size())) != 1) {
    return Fail(Internal("no memory for an OCTET STRING"));
  }
  const int size = i2d_ASN1_OCTET_STRING(octets.get(), &der);
  if (size <= 0) return Fail(Internal("the point cannot be encoded"));
  std::vector<uint8_t> out(der, der + size);
  OPENSSL_free(der);
  return out;
}

Result<std::vector<uint8_t>> SubjectKeyId(Bytes spki) {
  const uint8_t* at = spki.data();
  std::unique_ptr<X509_PUBKEY, decltype(&X509_PUBKEY_free)> key(
      d2i_X509_PUBKEY(nullptr, &at, static_cast<long>(spki.size())), X509_PUBKEY_free);
  const uint8_t* bits = nullptr;
  int size = 0;
  if (key == nullptr || at != spki.data() + spki.size() ||
      X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, key.get()) != 1) {
    return Fail(Malformed("not a SubjectPublicKeyInfo"));
  }
  std::vector<uint8_t> id(SHA_DIGEST_LENGTH);
  if (EVP_Digest(bits, static_cast<size_t>(size), id.data(), nullptr, EVP_sha1(), nullptr) != 1) {
    return Fail(Internal("SHA-1 failed"));
  }
  return id;
}

}  // namespace keybroker::token
