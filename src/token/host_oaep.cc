#include <openssl/err.h>
#include <openssl/rsa.h>

#include "keybroker/token/recipient_wrap.h"

namespace keybroker::token {
namespace {

constexpr size_t kMostModulus = 1024;  // bytes, of RSA-8192

bool UseOaep(EVP_PKEY_CTX* ctx, OaepHash hash) {
  const EVP_MD* md = hash == OaepHash::kSha1 ? EVP_sha1() : EVP_sha256();
  return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

}  // namespace

std::string_view OaepHashName(OaepHash hash) {
  return hash == OaepHash::kSha1 ? "SHA-1" : "SHA-256";
}

Result<std::vector<uint8_t>> HostOaepWrap(EVP_PKEY* public_key, OaepHash hash, const Secret& key) {
  const EvpKeyCtx ctx(EVP_PKEY_CTX_new(public_key, nullptr));
  std::vector<uint8_t> out(kMostModulus);
  size_t size = out.size();
  const auto in = key.Expose();
  if (ctx == nullptr || EVP_PKEY_encrypt_init(ctx.get()) != 1 || !UseOaep(ctx.get(), hash) ||
      EVP_PKEY_encrypt(ctx.get(), out.data(), &size, in.data(), in.size()) != 1) {
    ERR_clear_error();
    return Fail(Malformed("the key is no RSA key to wrap to"));
  }
  out.resize(size);
  return out;
}

Result<Secret> HostOaepUnwrap(EVP_PKEY* private_key, OaepHash hash, Bytes wrapped) {
  const EvpKeyCtx ctx(EVP_PKEY_CTX_new(private_key, nullptr));
  KB_ASSIGN(Secret out, Secret::Allocate(kMostModulus));
  size_t size = out.capacity();
  if (ctx == nullptr || EVP_PKEY_decrypt_init(ctx.get()) != 1 || !UseOaep(ctx.get(), hash) ||
      EVP_PKEY_decrypt(ctx.get(), out.Buffer().data(), &size, wrapped.data(), wrapped.size()) !=
          1) {
    ERR_clear_error();
    return Fail(Malformed("what is wrapped by RSA-OAEP does not fit the key"));
  }
  out.SetSize(size);
  return out;
}

}  // namespace keybroker::token
