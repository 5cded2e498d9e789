#include "engine/sign.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <array>
#include <span>
#include <vector>

#include "engine/engine_error.h"
#include "engine/key_loader.h"
#include "engine/token_key.h"
#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::engine {
namespace {

using cryptoki::Digest;
using Bytes = std::span<const uint8_t>;

// r || s of the largest curve, P-521, is 132 bytes; there is room for more.
constexpr size_t kMaxEcdsaSize = 256;

std::optional<Digest> DigestOf(const EVP_MD* md) {
  switch (md == nullptr ? NID_undef : EVP_MD_get_type(md)) {
    case NID_sha256:
      return Digest::kSha256;
    case NID_sha384:
      return Digest::kSha384;
    case NID_sha512:
      return Digest::kSha512;
    default:
      return std::nullopt;
  }
}

// The hash that the caller made the digest with; nothing when it is none of ours, or the sizes
// differ.
std::optional<Digest> SignedDigest(EVP_PKEY_CTX* context, size_t digest_size) {
  const EVP_MD* md = nullptr;
  if (EVP_PKEY_CTX_get_signature_md(context, &md) != 1) return std::nullopt;
  auto digest = DigestOf(md);
  return digest && cryptoki::DigestSize(*digest) == digest_size ? digest : std::nullopt;
}

// RFC 8446 section 4.2.3: MGF1 with the same hash, a salt as long as the digest. Other choices are
// not ours to make.
bool IsTlsPss(EVP_PKEY_CTX* context, Digest digest) {
  const EVP_MD* mgf = nullptr;
  int salt = 0;
  return EVP_PKEY_CTX_get_rsa_mgf1_md(context, &mgf) == 1 && DigestOf(mgf) == digest &&
         EVP_PKEY_CTX_get_rsa_pss_saltlen(context, &salt) == 1 &&
         (salt == RSA_PSS_SALTLEN_DIGEST || salt == static_cast<int>(cryptoki::DigestSize(digest)));
}

// SignEither signs by raw, which takes data; where no binding permits it, by the mechanism that
// hashes the message itself, when there is a message.
bool SignEither(const TokenKey& key, CK_MECHANISM raw, Bytes data, CK_MECHANISM_TYPE hashing,
                Bytes message, unsigned char* signature, size_t* size) {
  CK_MECHANISM whole = raw;
  whole.mechanism = hashing;
  const std::array<SignWay, 2> ways{SignWay{&raw, data}, SignWay{&whole, message}};
  return TheModule().Sign(key, std::span(ways).first(message.data() == nullptr ? 1 : 2), signature,
                          size);
}

int SignPss(const TokenKey& key, Digest digest, const ToSign& what, unsigned char* signature,
            size_t* size) {
  CK_RSA_PKCS_PSS_PARAMS parameters{cryptoki::DigestMechanism(digest), cryptoki::DigestMgf(digest),
                                    what.digest.size()};
  const CK_MECHANISM raw{CKM_RSA_PKCS_PSS, &parameters, sizeof parameters};
  const auto hashing = cryptoki::HashAndSign(cryptoki::Scheme::kRsaPss, digest);
  return SignEither(key, raw, what.digest, hashing, what.message, signature, size) ? 1 : 0;
}

int SignPkcs1(const TokenKey& key, Digest digest, const ToSign& what, unsigned char* signature,
              size_t* size) {
  Bytes prefix = cryptoki::DigestInfoPrefix(digest);
  std::vector<uint8_t> info(prefix.begin(), prefix.end());
  info.insert(info.end(), what.digest.begin(), what.digest.end());
  const CK_MECHANISM raw{CKM_RSA_PKCS, nullptr, 0};
  const auto hashing = cryptoki::HashAndSign(cryptoki::Scheme::kRsaPkcs1, digest);
  return SignEither(key, raw, info, hashing, what.message, signature, size) ? 1 : 0;
}

// ECDSA-Sig-Value (RFC 3279 section 2.2.3) of r || s, into signature, which has room for it.
int EncodeEcdsa(Bytes raw, unsigned char* signature, size_t* size) {
  int half = static_cast<int>(raw.size() / 2);
  BIGNUM* r = BN_bin2bn(raw.data(), half, nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + half, half, nullptr);
  ECDSA_SIG* value = ECDSA_SIG_new();
  if (value == nullptr || ECDSA_SIG_set0(value, r, s) != 1) {
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(value);
    return KB_RAISE(Reason::kInternal, "out of memory") ? 1 : 0;
  }
  int length = i2d_ECDSA_SIG(value, nullptr);
  bool fits = length > 0 && static_cast<size_t>(length) <= *size;
  if (fits) *size = static_cast<size_t>(i2d_ECDSA_SIG(value, &signature));
  ECDSA_SIG_free(value);
  return fits || KB_RAISE(Reason::kNoSignature, "the token's signature is too long") ? 1 : 0;
}

}  // namespace

std::optional<int> SignByRsa(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
                             const ToSign& what) {
  const TokenKey* key = AttachedTo(EVP_PKEY_get0_RSA(EVP_PKEY_CTX_get0_pkey(context)));
  auto hash = SignedDigest(context, what.digest.size());
  int padding = 0;
  if (key == nullptr || !hash || signature == nullptr ||
      EVP_PKEY_CTX_get_rsa_padding(context, &padding) != 1) {
    return std::nullopt;
  }
  if (padding == RSA_PKCS1_PADDING) return SignPkcs1(*key, *hash, what, signature, size);
  if (padding != RSA_PKCS1_PSS_PADDING || !IsTlsPss(context, *hash)) return std::nullopt;
  return SignPss(*key, *hash, what, signature, size);
}

std::optional<int> SignByEc(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
                            const ToSign& what) {
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(EVP_PKEY_CTX_get0_pkey(context));
  const TokenKey* key = AttachedTo(ec);
  const auto hash = SignedDigest(context, what.digest.size());
  if (key == nullptr || !hash) return std::nullopt;
  auto longest = static_cast<size_t>(ECDSA_size(ec));
  if (signature == nullptr) {
    *size = longest;
    return 1;
  }
  if (*size < longest) return std::nullopt;
  const CK_MECHANISM raw{CKM_ECDSA, nullptr, 0};
  const auto hashing = cryptoki::HashAndSign(cryptoki::Scheme::kEcdsa, *hash);
  std::array<unsigned char, kMaxEcdsaSize> value;
  size_t value_size = value.size();
  if (!SignEither(*key, raw, what.digest, hashing, what.message, value.data(), &value_size)) {
    return 0;
  }
  return EncodeEcdsa(Bytes(value.data(), value_size), signature, size);
}

}  // namespace keybroker::engine
