#include "engine/sign_methods.h"

#include <libp11.h>
#include <openssl/evp.h>

#include "engine/engine_error.h"
#include "engine/sign.h"

// libp11 exports this for engines, its header does not declare it.
extern "C" int PKCS11_pkey_meths(ENGINE* e, EVP_PKEY_METHOD** method, const int** nids, int nid);

namespace keybroker::engine {
namespace {

constexpr int kNids[] = {EVP_PKEY_RSA, EVP_PKEY_EC};

struct Methods {
  EVP_PKEY_METHOD* rsa;
  EVP_PKEY_METHOD* ec;
};

int methods_index = -1;

using Sign = int (*)(EVP_PKEY_CTX*, unsigned char*, size_t*, const unsigned char*, size_t);

// libp11's own, the same for every ENGINE.
Sign libp11_rsa_sign = nullptr;
Sign libp11_ec_sign = nullptr;

// What is none of the broker's mechanisms is libp11's to try. It reports what its last attempt met,
// raw RSA, which the module never grants: without a word of ours the log blames the mechanism.
int Explained(int signature) {
  if (signature <= 0) {
    KB_RAISE(Reason::kNoSignature,
             "neither RSA-PSS, RSA PKCS#1 v1.5 nor ECDSA with SHA-256, SHA-384 or SHA-512 as TLS "
             "makes them");
  }
  return signature;
}

int RsaSign(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
            const unsigned char* digest, size_t digest_size) try {
  if (auto ours = SignByRsa(context, signature, size, digest, digest_size)) return *ours;
  return Explained(libp11_rsa_sign(context, signature, size, digest, digest_size));
} catch (...) {
  return KB_RAISE(Reason::kInternal, "out of memory") ? 1 : 0;
}

int EcSign(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
           const unsigned char* digest, size_t digest_size) try {
  if (auto ours = SignByEc(context, signature, size, digest, digest_size)) return *ours;
  return Explained(libp11_ec_sign(context, signature, size, digest, digest_size));
} catch (...) {
  return KB_RAISE(Reason::kInternal, "out of memory") ? 1 : 0;
}

// A copy of libp11's method whose sign function is kept in *libp11s and replaced by ours.
EVP_PKEY_METHOD* CopyOfLibp11s(int nid, int flags, Sign* libp11s, Sign ours) {
  EVP_PKEY_METHOD* original = nullptr;
  if (PKCS11_pkey_meths(nullptr, &original, nullptr, nid) != 1) return nullptr;
  EVP_PKEY_METHOD* copy = EVP_PKEY_meth_new(nid, flags);
  if (copy == nullptr) return nullptr;
  EVP_PKEY_meth_copy(copy, original);
  int (*init)(EVP_PKEY_CTX*) = nullptr;
  EVP_PKEY_meth_get_sign(original, &init, libp11s);
  EVP_PKEY_meth_set_sign(copy, init, ours);
  return copy;
}

// ENGINE_PKEY_METHS_PTR: the list of NIDs when method is nullptr, else the method of nid.
int PkeyMethods(ENGINE* engine, EVP_PKEY_METHOD** method, const int** nids, int nid) {
  if (method == nullptr) {
    *nids = kNids;
    return 2;
  }
  auto* methods = static_cast<Methods*>(ENGINE_get_ex_data(engine, methods_index));
  *method = nullptr;
  if (methods == nullptr) return 0;
  if (nid == EVP_PKEY_RSA) *method = methods->rsa;
  if (nid == EVP_PKEY_EC) *method = methods->ec;
  return *method == nullptr ? 0 : 1;
}

// Frees the pair's holder; OpenSSL has freed the methods by then.
void FreeMethods(void*, void* methods, CRYPTO_EX_DATA*, int, long, void*) { OPENSSL_free(methods); }

}  // namespace

bool InstallSignMethods(ENGINE* engine) {
  if (methods_index < 0) {
    methods_index = ENGINE_get_ex_new_index(0, nullptr, nullptr, nullptr, FreeMethods);
    if (methods_index < 0) return false;
  }
  auto* methods = static_cast<Methods*>(OPENSSL_zalloc(sizeof(Methods)));
  if (methods == nullptr) return false;
  // RSA's size query is OpenSSL's to answer, as in libp11; EC's the method's own.
  methods->rsa = CopyOfLibp11s(EVP_PKEY_RSA, EVP_PKEY_FLAG_AUTOARGLEN, &libp11_rsa_sign, RsaSign);
  methods->ec = CopyOfLibp11s(EVP_PKEY_EC, 0, &libp11_ec_sign, EcSign);
  if (methods->rsa != nullptr && methods->ec != nullptr &&
      ENGINE_set_ex_data(engine, methods_index, methods) == 1) {
    return ENGINE_set_pkey_meths(engine, PkeyMethods) == 1;
  }
  EVP_PKEY_meth_free(methods->rsa);
  EVP_PKEY_meth_free(methods->ec);
  OPENSSL_free(methods);
  return false;
}

}  // namespace keybroker::engine
