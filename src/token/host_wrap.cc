#include "keybroker/token/host_wrap.h"

#include <openssl/evp.h>

#include <memory>

namespace keybroker::token {
namespace {

enum class Way { kWrap = 1, kUnwrap = 0 };  // EVP_CipherInit_ex's enc

// Room beyond the input that either algorithm may want for its output.
constexpr size_t kGrowth = 32;

// Run puts the result into out, which has room for kGrowth bytes more than in; its size, or
// nothing.
Result<size_t> Run(Way way, WrapAlgorithm algorithm, const Secret& kek, Bytes iv, Bytes in,
                   std::span<uint8_t> out) {
  const bool cbc = algorithm == WrapAlgorithm::kAesCbcPad;
  if (kek.size() != kKekSize || iv.size() != (cbc ? kCbcIvSize : 0) || in.size() > 1 << 20) {
    return Fail(Internal("a key of another size than the wrap wants"));
  }
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> ctx(EVP_CIPHER_CTX_new(),
                                                                            EVP_CIPHER_CTX_free);
  const EVP_CIPHER* cipher = cbc ? EVP_aes_256_cbc() : EVP_aes_256_wrap_pad();
  int size = 0;
  int rest = 0;
  if (ctx == nullptr) return Fail(Internal("no memory for a cipher"));
  EVP_CIPHER_CTX_set_flags(ctx.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  if (EVP_CipherInit_ex(ctx.get(), cipher, nullptr, kek.Expose().data(), cbc ? iv.data() : nullptr,
                        static_cast<int>(way)) != 1 ||
      EVP_CipherUpdate(ctx.get(), out.data(), &size, in.data(), static_cast<int>(in.size())) != 1 ||
      EVP_CipherFinal_ex(ctx.get(), out.data() + size, &rest) != 1) {
    return Fail(Malformed("the wrapped key does not fit its key-encryption key"));
  }
  return static_cast<size_t>(size) + static_cast<size_t>(rest);
}

}  // namespace

Result<std::vector<uint8_t>> HostWrap(WrapAlgorithm algorithm, const Secret& kek, Bytes iv,
                                      Bytes plain) {
  std::vector<uint8_t> out(plain.size() + kGrowth);
  KB_ASSIGN(const size_t size, Run(Way::kWrap, algorithm, kek, iv, plain, out));
  out.resize(size);
  return out;
}

Result<Secret> HostUnwrap(WrapAlgorithm algorithm, const Secret& kek, Bytes iv, Bytes wrapped) {
  KB_ASSIGN(Secret out, Secret::Allocate(wrapped.size() + kGrowth));
  KB_ASSIGN(const size_t size, Run(Way::kUnwrap, algorithm, kek, iv, wrapped, out.Buffer()));
  out.SetSize(size);
  return out;
}

}  // namespace keybroker::token
