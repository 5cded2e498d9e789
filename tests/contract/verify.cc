#include "contract/verify.h"

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <memory>

namespace keybroker::contract {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Ctx = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;

Key ReadKey(Bytes spki) {
  const uint8_t* at = spki.data();
  return {d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())), EVP_PKEY_free};
}

}  // namespace

std::vector<uint8_t> Sha256(Bytes message) {
  std::vector<uint8_t> digest(32);
  EVP_Digest(message.data(), message.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

bool VerifiesRsa(Bytes spki, Bytes digest, Bytes signature, bool pss) {
  const Key key = ReadKey(spki);
  const Ctx ctx(EVP_PKEY_CTX_new(key.get(), nullptr), EVP_PKEY_CTX_free);
  if (EVP_PKEY_verify_init(ctx.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(ctx.get(), pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) !=
          1 ||
      EVP_PKEY_CTX_set_signature_md(ctx.get(), EVP_sha256()) != 1 ||
      (pss && EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx.get(), 32) != 1)) {
    return false;
  }
  return EVP_PKEY_verify(ctx.get(), signature.data(), signature.size(), digest.data(),
                         digest.size()) == 1;
}

bool VerifiesEcdsa(Bytes spki, Bytes digest, Bytes signature) {
  const Key key = ReadKey(spki);
  const auto half = static_cast<int>(signature.size() / 2);
  ECDSA_SIG* parsed = ECDSA_SIG_new();
  ECDSA_SIG_set0(parsed, BN_bin2bn(signature.data(), half, nullptr),
                 BN_bin2bn(signature.data() + half, half, nullptr));
  uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(parsed, &der);
  ECDSA_SIG_free(parsed);
  const Ctx ctx(EVP_PKEY_CTX_new(key.get(), nullptr), EVP_PKEY_CTX_free);
  const bool good =
      signature.size() % 2 == 0 && EVP_PKEY_verify_init(ctx.get()) == 1 &&
      EVP_PKEY_verify(ctx.get(), der, static_cast<size_t>(size), digest.data(), digest.size()) == 1;
  OPENSSL_free(der);
  return good;
}

}  // namespace keybroker::contract
