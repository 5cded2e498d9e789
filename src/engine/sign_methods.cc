#include "engine/sign_methods.h"

#include <libp11.h>
#include <openssl/evp.h>

#include <array>
#include <optional>

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

using SignOurs = std::optional<int> (*)(EVP_PKEY_CTX*, unsigned char*, size_t*, const ToSign&);
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

// SignDigest is EVP_PKEY_METHOD's sign, SignMessage its digestsign: OpenSSL's one-shot
// EVP_DigestSign, which is what libssl calls, hands the whole message to the latter.
template <SignOurs kOurs, Sign* kLibp11s>
int SignDigest(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
               const unsigned char* digest, size_t digest_size) try {
  if (auto ours = kOurs(context, signature, size, {{digest, digest_size}, {}})) return *ours;
  return Explained((*kLibp11s)(context, signature, size, digest, digest_size));
} catch (...) {
  return KB_RAISE(Reason::kInternal, "out of memory") ? 1 : 0;
}

template <SignOurs kOurs, Sign* kLibp11s>
int SignMessage(EVP_MD_CTX* context, unsigned char* signature, size_t* size,
                const unsigned char* message, size_t message_size) try {
  EVP_PKEY_CTX* key = EVP_MD_CTX_get_pkey_ctx(context);
  const int longest = EVP_PKEY_get_size(EVP_PKEY_CTX_get0_pkey(key));
  if (longest <= 0 || (signature != nullptr && *size < static_cast<size_t>(longest))) {
    return KB_RAISE(Reason::kInternal, "no room for the signature") ? 1 : 0;
  }
  if (signature == nullptr) {
    *size = static_cast<size_t>(longest);
    return 1;
  }
  const EVP_MD* md = nullptr;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned digest_size = 0;
  if (EVP_PKEY_CTX_get_signature_md(key, &md) != 1 || md == nullptr ||
      EVP_Digest(message, message_size, digest.data(), &digest_size, md, nullptr) != 1) {
    return 0;
  }
  const ToSign what{{digest.data(), digest_size}, {message, message_size}};
  if (auto ours = kOurs(key, signature, size, what)) return *ours;
  return Explained((*kLibp11s)(key, signature, size, digest.data(), digest_size));
} catch (...) {
  return KB_RAISE(Reason::kInternal, "out of memory") ? 1 : 0;
}

// A copy of libp11's method that signs by kOurs; libp11's sign function is kept in *kLibp11s.
template <SignOurs kOurs, Sign* kLibp11s>
EVP_PKEY_METHOD* CopyOfLibp11s(int nid, int flags) {
  EVP_PKEY_METHOD* original = nullptr;
  if (PKCS11_pkey_meths(nullptr, &original, nullptr, nid) != 1) return nullptr;
  EVP_PKEY_METHOD* copy = EVP_PKEY_meth_new(nid, flags);
  if (copy == nullptr) return nullptr;
  EVP_PKEY_meth_copy(copy, original);
  int (*init)(EVP_PKEY_CTX*) = nullptr;
  EVP_PKEY_meth_get_sign(original, &init, kLibp11s);
  EVP_PKEY_meth_set_sign(copy, init, SignDigest<kOurs, kLibp11s>);
  EVP_PKEY_meth_set_digestsign(copy, SignMessage<kOurs, kLibp11s>);
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
  methods->rsa = CopyOfLibp11s<SignByRsa, &libp11_rsa_sign>(EVP_PKEY_RSA, EVP_PKEY_FLAG_AUTOARGLEN);
  methods->ec = CopyOfLibp11s<SignByEc, &libp11_ec_sign>(EVP_PKEY_EC, 0);
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
