#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "keybroker/base/result.h"

namespace keybroker::audit {

using Hash = std::array<uint8_t, 32>;

// Hasher computes SHA-256 again and again with one EVP context, because fetching the algorithm for
// each record would cost more than hashing it. Begin, any number of Adds, End.
class Hasher {
 public:
  // Make fails Internal when OpenSSL has no SHA-256.
  static Result<std::shared_ptr<Hasher>> Make();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void Begin();
  void Add(std::string_view bytes);
  // End gives the hash; Internal when OpenSSL failed anywhere since Begin.
  Result<Hash> End();

  Result<Hash> Of(std::string_view bytes);

 private:
  Hasher(EVP_MD* sha256, EVP_MD_CTX* state) : sha256_(sha256), state_(state) {}

  EVP_MD* sha256_;
  EVP_MD_CTX* state_;
  bool ok_ = false;
};

}  // namespace keybroker::audit
