#include "token/private_parts.h"

#include <openssl/core_names.h>

#include <utility>

#include "keybroker/token/openssl.h"

namespace keybroker::token {
namespace {

struct Part {
  CK_ATTRIBUTE_TYPE type;
  const char* name;
};

constexpr Part kRsaParts[] = {{CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D},
                              {CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1},
                              {CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2},
                              {CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1},
                              {CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2},
                              {CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
constexpr Part kEcParts[] = {{CKA_VALUE, OSSL_PKEY_PARAM_PRIV_KEY}};

struct WipeNumber {
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
};

Result<Secret> Number(const EVP_PKEY* key, const char* name) {
  BIGNUM* value = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &value) != 1) {
    return Fail(Malformed("the private key lacks a number that the token wants"));
  }
  const std::unique_ptr<BIGNUM, WipeNumber> number(value);
  const int size = BN_num_bytes(value);
  KB_ASSIGN(Secret bytes, Secret::Allocate(static_cast<size_t>(size)));
  if (BN_bn2binpad(value, bytes.Buffer().data(), size) != size) {
    return Fail(Internal("a number of the private key cannot be written"));
  }
  bytes.SetSize(static_cast<size_t>(size));
  return bytes;
}

}  // namespace

Result<std::vector<SecretAttribute>> PrivateParts(cryptoki::KeyType type, const Secret& pkcs8) {
  const Bytes der = pkcs8.Expose();
  const uint8_t* at = der.data();
  const std::unique_ptr<PKCS8_PRIV_KEY_INFO, decltype(&PKCS8_PRIV_KEY_INFO_free)> info(
      d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())),
      PKCS8_PRIV_KEY_INFO_free);
  const EvpKey key(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
  if (key == nullptr) return Fail(Malformed("not a PrivateKeyInfo"));
  std::vector<SecretAttribute> parts;
  const bool rsa = type == cryptoki::KeyType::kRsa;
  for (const Part& part :
       rsa ? std::span<const Part>(kRsaParts) : std::span<const Part>(kEcParts)) {
    KB_ASSIGN(Secret number, Number(key.get(), part.name));
    parts.emplace_back(part.type, std::move(number));
  }
  return parts;
}

Result<CK_OBJECT_HANDLE> CreateWithSecrets(const Session& session, const Attributes& object,
                                           const std::vector<SecretAttribute>& secrets) {
  auto list = object.Template();
  for (const auto& [type, value] : secrets) {
    const Bytes bytes = value.Expose();
    list.push_back({type, const_cast<uint8_t*>(bytes.data()), bytes.size()});
  }
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  KB_TRY(CheckRv("C_CreateObject", session.module()->api().C_CreateObject(
                                       session.handle(), list.data(), list.size(), &handle)));
  return handle;
}

}  // namespace keybroker::token
