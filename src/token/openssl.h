#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

namespace keybroker::token {

// OpenSslFree frees what OpenSSL allocated; the aliases own one object each.
struct OpenSslFree {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  void operator()(BIGNUM* p) const { BN_free(p); }
  void operator()(X509* p) const { X509_free(p); }
};
using EvpKey = std::unique_ptr<EVP_PKEY, OpenSslFree>;
using EvpKeyCtx = std::unique_ptr<EVP_PKEY_CTX, OpenSslFree>;
using BigNumber = std::unique_ptr<BIGNUM, OpenSslFree>;
using Certificate = std::unique_ptr<X509, OpenSslFree>;

}  // namespace keybroker::token
