#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

namespace keybroker::token {

// Free calls the OpenSSL function that frees a thing, for unique_ptr. token is the lowest component
// that has things of OpenSSL; those above it own theirs by this too.
template <auto Function>
struct Free {
  template <typename T>
  void operator()(T* thing) const {
    Function(thing);
  }
};

using EvpKey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using EvpKeyCtx = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Free<BN_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using AlgorPtr = std::unique_ptr<X509_ALGOR, Free<X509_ALGOR_free>>;

}  // namespace keybroker::token
