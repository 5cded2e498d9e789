#include "conformance/key_search.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace keybroker::test {
namespace {

using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using Context = std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)>;

// Numbers stand in memory as OpenSSL's BIGNUM (least significant word first, aligned) or as the
// octets of an encoding (most significant first, at any address).
constexpr size_t kWord = sizeof(BN_ULONG);

// A prime of an RSA key has its highest bits set and is odd, so most windows need no division.
bool MayBePrime(const unsigned char* highest, const unsigned char* lowest) {
  return (*highest & 0xc0U) == 0xc0U && (*lowest & 1U) == 1U;
}

class FactorSearch : public KeySearch {
 public:
  explicit FactorSearch(Number modulus)
      : modulus_(std::move(modulus)),
        size_(static_cast<size_t>(BN_num_bytes(modulus_.get())) / 2) {}

  unsigned Count(const std::vector<unsigned char>& memory) override {
    unsigned found = 0;
    for (size_t at = 0; at + size_ <= memory.size(); ++at) {
      const unsigned char* window = memory.data() + at;
      const unsigned char* last = window + size_ - 1;
      if (MayBePrime(window, last) && Divides(BN_bin2bn(window, Size(), candidate_.get()))) ++found;
      if (at % kWord == 0 && MayBePrime(last, window) &&
          Divides(BN_lebin2bn(window, Size(), candidate_.get()))) {
        ++found;
      }
    }
    return found;
  }

 private:
  int Size() const { return static_cast<int>(size_); }

  bool Divides(const BIGNUM* candidate) {
    return BN_mod(rest_.get(), modulus_.get(), candidate, context_.get()) == 1 &&
           BN_is_zero(rest_.get()) == 1;
  }

  Number modulus_;
  size_t size_;
  Number candidate_{BN_new(), BN_free};
  Number rest_{BN_new(), BN_free};
  Context context_{BN_CTX_new(), BN_CTX_free};
};

// Sample looks at a window as it moves byte by byte, and spares a multiplication of the curve for
// pointers, counters, texts and zeros. Of 32 random bytes fewer than 20 are different once in ten
// thousand million times.
class Sample {
 public:
  static constexpr size_t kSize = 32;

  void Add(unsigned char byte) {
    different_ += times_[byte]++ == 0 ? 1 : 0;
    high_ += byte >= 0x80U ? 1 : 0;
  }
  void Remove(unsigned char byte) {
    different_ -= --times_[byte] == 0 ? 1 : 0;
    high_ -= byte >= 0x80U ? 1 : 0;
  }
  bool LooksRandom() const { return different_ >= kDifferent && high_ > 0; }

 private:
  static constexpr unsigned kDifferent = 20;

  std::array<unsigned, 256> times_{};
  unsigned different_ = 0;
  unsigned high_ = 0;
};

class ScalarSearch : public KeySearch {
 public:
  using Group = std::unique_ptr<EC_GROUP, decltype(&EC_GROUP_free)>;
  using Point = std::unique_ptr<EC_POINT, decltype(&EC_POINT_free)>;

  ScalarSearch(Group group, Point point)
      : group_(std::move(group)),
        point_(std::move(point)),
        multiple_(EC_POINT_new(group_.get()), EC_POINT_free),
        size_(static_cast<size_t>(EC_GROUP_order_bits(group_.get()) + 7) / 8) {}

  unsigned Count(const std::vector<unsigned char>& memory) override {
    unsigned found = 0;
    Sample sample;
    const size_t sampled = std::min(size_, Sample::kSize);
    for (size_t at = 0; at + 1 < sampled && at < memory.size(); ++at) sample.Add(memory[at]);
    for (size_t at = 0; at + size_ <= memory.size(); ++at) {
      const unsigned char* window = memory.data() + at;
      if (at > 0) sample.Remove(memory[at - 1]);
      sample.Add(window[sampled - 1]);
      if (!sample.LooksRandom()) continue;
      if (Fits(BN_bin2bn(window, Size(), candidate_.get()))) ++found;
      if (at % kWord == 0 && Fits(BN_lebin2bn(window, Size(), candidate_.get()))) ++found;
    }
    return found;
  }

 private:
  int Size() const { return static_cast<int>(size_); }

  bool Fits(const BIGNUM* scalar) {
    return EC_POINT_mul(group_.get(), multiple_.get(), scalar, nullptr, nullptr, context_.get()) ==
               1 &&
           EC_POINT_cmp(group_.get(), multiple_.get(), point_.get(), context_.get()) == 0;
  }

  Group group_;
  Point point_;
  Point multiple_;
  size_t size_;
  Number candidate_{BN_new(), BN_free};
  Context context_{BN_CTX_new(), BN_CTX_free};
};

std::unique_ptr<KeySearch> MakeScalarSearch(EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::array<unsigned char, 256> encoded{};
  size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) != 1 ||
      EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size(),
                                      &size) != 1) {
    return nullptr;
  }
  ScalarSearch::Group group(EC_GROUP_new_by_curve_name(OBJ_sn2nid(name.data())), EC_GROUP_free);
  if (!group) return nullptr;
  ScalarSearch::Point point(EC_POINT_new(group.get()), EC_POINT_free);
  if (EC_POINT_oct2point(group.get(), point.get(), encoded.data(), size, nullptr) != 1) {
    return nullptr;
  }
  return std::make_unique<ScalarSearch>(std::move(group), std::move(point));
}

}  // namespace

std::unique_ptr<KeySearch> MakeKeySearch(EVP_PKEY* public_key) {
  if (EVP_PKEY_get_base_id(public_key) == EVP_PKEY_EC) return MakeScalarSearch(public_key);
  BIGNUM* n = nullptr;
  if (EVP_PKEY_get_bn_param(public_key, OSSL_PKEY_PARAM_RSA_N, &n) != 1) return nullptr;
  return std::make_unique<FactorSearch>(Number(n, BN_free));
}

}  // namespace keybroker::test
