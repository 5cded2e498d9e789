#pragma once

#include <openssl/evp.h>

#include <memory>
#include <vector>

namespace keybroker::test {

// KeySearch counts the places in memory that hold a private key, which it knows only by its public
// half.
class KeySearch {
 public:
  virtual ~KeySearch() = default;
  virtual unsigned Count(const std::vector<unsigned char>& memory) = 0;
};

// MakeKeySearch searches for the private half of an RSA key (a prime that divides the modulus) or
// of an EC key (a scalar whose multiple of the generator is the point). Null for any other key.
std::unique_ptr<KeySearch> MakeKeySearch(EVP_PKEY* public_key);

}  // namespace keybroker::test
