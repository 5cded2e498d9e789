#include "backup/foreign/private_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <string>

#include "backup/foreign/failure.h"

namespace keybroker::backup {
namespace {

using Failure = tl::unexpected<KeyFileError>;

Failure Kind(std::string why) { return FailKeyFile(KeyFileDefect::kUnsupported, std::move(why)); }

Failure OtherKind(const EVP_PKEY* key) {
  const char* name = EVP_PKEY_get0_type_name(key);
  const std::string kind = name == nullptr ? "unknown" : name;
  if (kind == "ED25519" || kind == "ED448") {
    return Kind("it is an " + kind +
                " key: one that libp11 0.4.12 can see on a token makes it refuse every other key "
                "there, and with it most listeners of Debian 12. It is not taken");
  }
  if (kind == "RSA-PSS") {
    return Kind(
        "it is an RSA-PSS key: its restriction to PSS cannot be kept on a token, which would hold "
        "it as an RSA key like any other. It is not taken");
  }
  return Kind("it is a " + kind + " key, and TLS servers sign with RSA and EC keys");
}

KeyFileResult<void> CheckRsa(const EVP_PKEY* key, bool allow_weak, ForeignKey* found) {
  const std::string bits = std::to_string(found->bits);
  BIGNUM* third = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_FACTOR3, &third) == 1) {
    BN_clear_free(third);
    return Kind("its RSA key has more than two primes, which tokens do not hold");
  }
  if (found->bits == 2048 || found->bits == 3072 || found->bits == 4096) return {};
  if (found->bits > 2048) {
    return Kind("its RSA key has " + bits + " bits; taken are 2048, 3072 and 4096");
  }
  if (found->bits < 512) return Kind("its RSA key has " + bits + " bits, which is no key");
  if (!allow_weak) {
    return FailKeyFile(
        KeyFileDefect::kWeak,
        "its RSA key has " + bits +
            " bits. Keys below 2048 bits can be factored, or will be soon, by those who can pay "
            "for it; whoever does reads and answers in this host's name, and no client of today "
            "need accept it. Generate a new key and have it certified; --allow-weak takes this "
            "one all the same");
  }
  found->notes.push_back("the RSA key has " + bits +
                         " bits only, which is weak: replace it as soon as you can");
  return {};
}

KeyFileResult<void> CheckEc(EVP_PKEY* key, uint32_t* bits) {
  char curve[64] = "";
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, curve, sizeof curve, &size) != 1) {
    return Kind("its EC key names no curve but describes one; such are not taken");
  }
  const int nid = OBJ_txt2nid(curve);
  *bits = nid == NID_X9_62_prime256v1 ? 256
          : nid == NID_secp384r1      ? 384
          : nid == NID_secp521r1      ? 521
                                      : 0;
  if (*bits == 0) {
    return Kind("its EC key is on " + std::string(curve) + "; taken are P-256, P-384 and P-521");
  }
  // A compressed point would make another SubjectPublicKeyInfo than the certificate's.
  if (EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                     "uncompressed") != 1) {
    return Kind("its EC key cannot be written uncompressed");
  }
  return {};
}

// Consistent has OpenSSL check all numbers of the key against each other, the primes included.
bool Consistent(const LegacyLibrary& library, EVP_PKEY* key) {
  const EvpKeyCtx ctx(EVP_PKEY_CTX_new_from_pkey(library.get(), key, nullptr));
  return ctx != nullptr && EVP_PKEY_check(ctx.get()) == 1;
}

KeyFileResult<void> Write(EVP_PKEY* key, ForeignKey* found) {
  const Pkcs8Ptr info(EVP_PKEY2PKCS8(key));
  const int size = info == nullptr ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  auto pkcs8 = Secret::Allocate(static_cast<size_t>(size > 0 ? size : 0));
  uint8_t* open = nullptr;
  const int open_size = i2d_PUBKEY(key, &open);
  if (open_size > 0) found->spki.assign(open, open + open_size);
  OPENSSL_free(open);
  if (size <= 0 || !pkcs8 || open_size <= 0) {
    return FailKeyFile(KeyFileDefect::kDamaged, "its key cannot be written again");
  }
  uint8_t* at = pkcs8->Buffer().data();
  i2d_PKCS8_PRIV_KEY_INFO(info.get(), &at);
  pkcs8->SetSize(static_cast<size_t>(size));
  found->pkcs8 = std::move(*pkcs8);
  return {};
}

}  // namespace

EvpKey DecodePkcs8(const LegacyLibrary& library, const PKCS8_PRIV_KEY_INFO* info) {
  return EvpKey(info == nullptr ? nullptr : EVP_PKCS82PKEY_ex(info, library.get(), nullptr));
}

EvpKey DecodePkcs8(const LegacyLibrary& library, token::Bytes der) {
  const uint8_t* at = der.data();
  const Pkcs8Ptr info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  return at == der.data() + der.size() ? DecodePkcs8(library, info.get()) : nullptr;
}

EvpKey DecodeTraditional(const LegacyLibrary& library, token::Bytes der, bool ec) {
  const uint8_t* at = der.data();
  EvpKey key(d2i_PrivateKey_ex(ec ? EVP_PKEY_EC : EVP_PKEY_RSA, nullptr, &at,
                               static_cast<long>(der.size()), library.get(), nullptr));
  return at == der.data() + der.size() ? std::move(key) : nullptr;
}

KeyFileResult<void> TakeKey(const LegacyLibrary& library, EVP_PKEY* key, bool allow_weak,
                            ForeignKey* found) {
  const bool rsa = EVP_PKEY_is_a(key, "RSA") == 1;
  if (!rsa && EVP_PKEY_is_a(key, "EC") != 1) return OtherKind(key);
  found->type = rsa ? cryptoki::KeyType::kRsa : cryptoki::KeyType::kEc;
  found->bits = static_cast<uint32_t>(EVP_PKEY_get_bits(key));
  auto kind = rsa ? CheckRsa(key, allow_weak, found) : CheckEc(key, &found->bits);
  if (!kind) return kind;
  const bool consistent = Consistent(library, key);
  ERR_clear_error();
  if (!consistent) {
    return FailKeyFile(KeyFileDefect::kDamaged, "the numbers of its key do not fit each other");
  }
  return Write(key, found);
}

}  // namespace keybroker::backup
