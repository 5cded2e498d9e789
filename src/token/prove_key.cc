#include "token/prove_key.h"

#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "keybroker/token/openssl.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;

// DerSignature turns r || s (PKCS#11 v2.40 section 2.3.1) into what OpenSSL verifies.
Result<std::vector<uint8_t>> DerSignature(Bytes raw) {
  const size_t half = raw.size() / 2;
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parsed(ECDSA_SIG_new(), ECDSA_SIG_free);
  BigNumber r(BN_bin2bn(raw.data(), static_cast<int>(half), nullptr));
  BigNumber s(BN_bin2bn(raw.data() + half, static_cast<int>(half), nullptr));
  if (raw.size() % 2 != 0 || parsed == nullptr || r == nullptr || s == nullptr ||
      ECDSA_SIG_set0(parsed.get(), r.get(), s.get()) != 1) {
    return Fail(TokenFailed("the token's ECDSA signature has an odd form"));
  }
  (void)r.release();
  (void)s.release();
  uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(parsed.get(), &der);
  if (size <= 0) return Fail(Internal("the signature cannot be encoded"));
  std::vector<uint8_t> out(der, der + size);
  OPENSSL_free(der);
  return out;
}

bool Verifies(const KeyPair& key, Bytes digest, Bytes signature) {
  const uint8_t* at = key.spki.data();
  const EvpKey public_key(d2i_PUBKEY(nullptr, &at, static_cast<long>(key.spki.size())));
  const EvpKeyCtx ctx(public_key ? EVP_PKEY_CTX_new(public_key.get(), nullptr) : nullptr);
  if (ctx == nullptr || EVP_PKEY_verify_init(ctx.get()) != 1) return false;
  if (key.type == KeyType::kRsa &&
      (EVP_PKEY_CTX_set_rsa_padding(ctx.get(), RSA_PKCS1_PADDING) != 1 ||
       EVP_PKEY_CTX_set_signature_md(ctx.get(), EVP_sha256()) != 1)) {
    return false;
  }
  return EVP_PKEY_verify(ctx.get(), signature.data(), signature.size(), digest.data(),
                         digest.size()) == 1;
}

}  // namespace

Status ProveKey(const Session& session, const KeyPair& key) {
  std::vector<uint8_t> digest(cryptoki::DigestSize(cryptoki::Digest::kSha256));
  if (RAND_bytes(digest.data(), static_cast<int>(digest.size())) != 1) {
    return Fail(Internal("no random bytes"));
  }
  std::vector<uint8_t> input = digest;
  if (key.type == KeyType::kRsa) {
    const auto prefix = cryptoki::DigestInfoPrefix(cryptoki::Digest::kSha256);
    input.insert(input.begin(), prefix.begin(), prefix.end());
  }
  const CK_MECHANISM_TYPE mechanism = key.type == KeyType::kRsa ? CKM_RSA_PKCS : CKM_ECDSA;
  KB_ASSIGN(auto signature, session.Sign(key.private_key, mechanism, std::nullopt, input));
  if (key.type == KeyType::kEc) {
    KB_ASSIGN(signature, DerSignature(signature));
  }
  if (!Verifies(key, digest, signature)) {
    return Fail(TokenFailed("the token's signature does not verify with its public key"));
  }
  return {};
}

}  // namespace keybroker::token
