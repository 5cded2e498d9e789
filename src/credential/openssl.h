#pragma once

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "keybroker/base/error.h"
#include "keybroker/token/openssl.h"

namespace keybroker::credential {

using token::Free;
using token::X509Ptr;

using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using X509ReqPtr = std::unique_ptr<X509_REQ, Free<X509_REQ_free>>;
using X509NamePtr = std::unique_ptr<X509_NAME, Free<X509_NAME_free>>;
using X509AlgorPtr = token::AlgorPtr;
using X509StorePtr = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using X509StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;
using PkeyPtr = token::EvpKey;
using BitStringPtr = std::unique_ptr<ASN1_BIT_STRING, Free<ASN1_BIT_STRING_free>>;
using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using GeneralNamePtr = std::unique_ptr<GENERAL_NAME, Free<GENERAL_NAME_free>>;

// OpenSslText is the newest entry of OpenSSL's error queue in words; the queue is emptied.
std::string OpenSslText();

// MemoryBio views bytes as a BIO to read from; they must outlive it.
BioPtr MemoryBio(std::string_view bytes);

}  // namespace keybroker::credential
