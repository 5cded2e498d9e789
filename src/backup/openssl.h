#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <memory>

#include "keybroker/token/openssl.h"

namespace keybroker::backup {

using token::AlgorPtr;
using token::EvpKey;
using token::EvpKeyCtx;
using token::Free;
using token::X509Ptr;

inline void FreeBags(STACK_OF(PKCS12_SAFEBAG) * bags) {
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}
inline void FreeSafes(STACK_OF(PKCS7) * safes) { sk_PKCS7_pop_free(safes, PKCS7_free); }

using Pkcs12Ptr = std::unique_ptr<PKCS12, Free<PKCS12_free>>;
using BagPtr = std::unique_ptr<PKCS12_SAFEBAG, Free<PKCS12_SAFEBAG_free>>;
using BagsPtr = std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), Free<FreeBags>>;
using SafesPtr = std::unique_ptr<STACK_OF(PKCS7), Free<FreeSafes>>;
using SigPtr = std::unique_ptr<X509_SIG, Free<X509_SIG_free>>;
using Pbe2Ptr = std::unique_ptr<PBE2PARAM, Free<PBE2PARAM_free>>;
using Pbkdf2Ptr = std::unique_ptr<PBKDF2PARAM, Free<PBKDF2PARAM_free>>;
using PbePtr = std::unique_ptr<PBEPARAM, Free<PBEPARAM_free>>;
using ScryptPtr = std::unique_ptr<SCRYPT_PARAMS, Free<SCRYPT_PARAMS_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, Free<EVP_CIPHER_free>>;
using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD, Free<EVP_MD_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Free<ASN1_OBJECT_free>>;

}  // namespace keybroker::backup
