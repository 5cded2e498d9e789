#include "engine/reference_method.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <optional>
#include <string>

#include "engine/engine_error.h"
#include "engine/key_loader.h"
#include "keybroker/credential/reference_format.h"

namespace keybroker::engine {
namespace {

// Makes target the key. The engine on it is what routes RSA-PSS and ECDSA to libp11: without it
// OpenSSL pads by itself and asks for raw RSA, which no broker grants.
bool Become(EVP_PKEY* target, EVP_PKEY* key, ENGINE* engine) {
  int done = 0;
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
    RSA* rsa = EVP_PKEY_get1_RSA(key);
    done = EVP_PKEY_set1_RSA(target, rsa);
    RSA_free(rsa);
  } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
    EC_KEY* ec = EVP_PKEY_get1_EC_KEY(key);
    done = EVP_PKEY_set1_EC_KEY(target, ec);
    EC_KEY_free(ec);
  }
  if (done == 1 && EVP_PKEY_set1_engine(target, engine) == 1) return true;
  return KB_RAISE(Reason::kKeyUnusable, "OpenSSL does not take the token's key");
}

bool LoadInto(EVP_PKEY* target, std::string_view uri, ENGINE* engine) {
  auto reference = credential::ParseReferenceUri(uri);
  if (!reference) {
    return KB_RAISE(Reason::kMalformedReference,
                    "the key's URI is not one that keybroker writes; make the file anew with: "
                    "keybroker reference write");
  }
  EVP_PKEY* key = LoadKey(*reference);
  bool done = key != nullptr && Become(target, key, engine);
  EVP_PKEY_free(key);
  return done;
}

// The URI in a PrivateKeyInfo that is byte for byte one of ours; else nothing and raised.
std::optional<std::string> UriIn(const PKCS8_PRIV_KEY_INFO* info) {
  const unsigned char* octets = nullptr;
  int size = 0;
  if (PKCS8_pkey_get0(nullptr, &octets, &size, nullptr, info) == 1 && size > 0 &&
      static_cast<size_t>(size) <= credential::kReferenceMaxUri) {
    std::string uri(reinterpret_cast<const char*>(octets), static_cast<size_t>(size));
    std::string expected = credential::FormatReferenceDer(uri);
    unsigned char* der = nullptr;
    int der_size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    bool same = der_size > 0 && expected == std::string_view(reinterpret_cast<char*>(der),
                                                             static_cast<size_t>(der_size));
    OPENSSL_free(der);
    if (same) return uri;
  }
  KB_RAISE(Reason::kMalformedReference,
           "version, parameters, attributes or length are not a reference's; make the file anew "
           "with: keybroker reference write");
  return std::nullopt;
}

// EVP_PKEY_ASN1_METHOD's private key decoder: target becomes the key that info refers to.
int DecodePrivateKey(EVP_PKEY* target, const PKCS8_PRIV_KEY_INFO* info) try {
  ENGINE* engine = ENGINE_by_id(kEngineId);
  if (engine == nullptr) return KB_RAISE(Reason::kInternal, "the engine is not loaded") ? 1 : 0;
  auto uri = UriIn(info);
  bool done = uri && LoadInto(target, *uri, engine);
  ENGINE_free(engine);
  return done ? 1 : 0;
} catch (...) {
  return KB_RAISE(Reason::kInternal, "out of memory") ? 1 : 0;
}

EVP_PKEY* LoadUri(ENGINE* engine, const char* uri) {
  EVP_PKEY* key = EVP_PKEY_new();
  if (key != nullptr && LoadInto(key, uri, engine)) return key;
  EVP_PKEY_free(key);
  return nullptr;
}

EVP_PKEY* LoadFile(const char* path) {
  BIO* file = BIO_new_file(path, "r");
  if (file == nullptr) return nullptr;
  EVP_PKEY* key = PEM_read_bio_PrivateKey(file, nullptr, nullptr, nullptr);
  BIO_free(file);
  return key;
}

}  // namespace

bool RegisterReferenceMethod() {
  int nid = OBJ_txt2nid(credential::kReferenceOid);
  if (nid == NID_undef) {
    nid = OBJ_create(credential::kReferenceOid, "keybroker-reference", "keybroker key reference");
  }
  if (nid == NID_undef) return false;
  if (EVP_PKEY_asn1_find(nullptr, nid) != nullptr) return true;
  EVP_PKEY_ASN1_METHOD* method =
      EVP_PKEY_asn1_new(nid, 0, "KEYBROKER REFERENCE", "keybroker key reference");
  if (method == nullptr) return false;
  EVP_PKEY_asn1_set_private(method, DecodePrivateKey, nullptr, nullptr);
  // Not ENGINE_set_pkey_asn1_meths: to register that, an engine must enter a table that keeps a
  // dangling pointer when OpenSSL drops the engine again, as it does with the second copy that a
  // configuration read twice makes.
  if (EVP_PKEY_asn1_add0(method) == 1) return true;
  EVP_PKEY_asn1_free(method);
  return false;
}

EVP_PKEY* LoadPrivateKey(ENGINE* engine, const char* name, UI_METHOD*, void*) try {
  std::string_view text = name;
  return text.substr(0, 7) == "pkcs11:" ? LoadUri(engine, name) : LoadFile(name);
} catch (...) {
  KB_RAISE(Reason::kInternal, "out of memory");
  return nullptr;
}

}  // namespace keybroker::engine
