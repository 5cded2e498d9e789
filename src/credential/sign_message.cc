#include "keybroker/credential/sign_message.h"

#include <openssl/err.h>

#include "credential/openssl.h"

namespace keybroker::credential {
namespace {

using cryptoki::Digest;
using cryptoki::KeyType;

using MdCtxPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

const EVP_MD* Evp(Digest digest) {
  if (digest == Digest::kSha256) return EVP_sha256();
  return digest == Digest::kSha384 ? EVP_sha384() : EVP_sha512();
}

// EcdsaDer turns a token's r || s into an Ecdsa-Sig-Value.
Result<std::vector<uint8_t>> EcdsaDer(const std::vector<uint8_t>& raw, uint32_t bits) {
  if (raw.size() != cryptoki::EcdsaSignatureSize(bits)) {
    return Fail(
        TokenFailed("the token's ECDSA signature has " + std::to_string(raw.size()) + " bytes"));
  }
  const int half = static_cast<int>(raw.size() / 2);
  EcdsaSigPtr signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw.data(), half, nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + half, half, nullptr);
  if (!signature || r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return Fail(Internal("no memory for a signature"));
  }
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &bytes);
  if (size <= 0) return Fail(Internal("cannot encode the signature: " + OpenSslText()));
  std::vector<uint8_t> der(bytes, bytes + size);
  OPENSSL_free(bytes);
  return der;
}

}  // namespace

Digest DigestFor(const PublicKey& key) {
  if (key.type == KeyType::kRsa || key.bits <= 256) return Digest::kSha256;
  return key.bits <= 384 ? Digest::kSha384 : Digest::kSha512;
}

Result<std::vector<uint8_t>> SignMessage(const PublicKey& key, token::Bytes message,
                                         const Signer& sign) {
  const Digest digest = DigestFor(key);
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(message.data(), message.size(), hash, &size, Evp(digest), nullptr) != 1) {
    return Fail(Internal("cannot hash what is to be signed: " + OpenSslText()));
  }
  if (key.type == KeyType::kEc) {
    KB_ASSIGN(const auto raw, sign(CKM_ECDSA, {hash, size}));
    return EcdsaDer(raw, key.bits);
  }
  const auto prefix = cryptoki::DigestInfoPrefix(digest);
  std::vector<uint8_t> info(prefix.begin(), prefix.end());
  info.insert(info.end(), hash, hash + size);
  return sign(CKM_RSA_PKCS, info);
}

bool VerifyMessage(const PublicKey& key, token::Bytes message, token::Bytes signature) {
  const unsigned char* at = key.spki.data();
  const PkeyPtr pkey(d2i_PUBKEY(nullptr, &at, static_cast<long>(key.spki.size())));
  const MdCtxPtr ctx(EVP_MD_CTX_new());
  const bool fits =
      pkey != nullptr && ctx != nullptr &&
      EVP_DigestVerifyInit(ctx.get(), nullptr, Evp(DigestFor(key)), nullptr, pkey.get()) == 1 &&
      EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), message.data(),
                       message.size()) == 1;
  ERR_clear_error();
  return fits;
}

}  // namespace keybroker::credential
