// An OpenSSL engine for scripts/bench listeners: it reads a key file that names a key of libp11's
// engine by its PKCS#11 URI, so that a server that only reads PEM files (Dovecot) can use any
// PKCS#11 module as nginx does by "engine:pkcs11:URI". The file is a PrivateKeyInfo of the
// algorithm kOid whose octets are the URI. Nothing of keybroker's own engine is in it: it is what
// that is compared with.
#include <openssl/engine.h>
#include <openssl/x509.h>

#include <string>

namespace {

constexpr char kEngineId[] = "uri_key";
// The UUID 3f0b9f64-55c1-4a50-9a30-3c9ac5d9a7f1 under the arc 2.25.
constexpr char kOid[] = "2.25.83801711852376714598854506663632283633";

// Makes target the key that libp11's engine finds at the URI in info.
int DecodePrivateKey(EVP_PKEY* target, const PKCS8_PRIV_KEY_INFO* info) {
  const unsigned char* octets = nullptr;
  int size = 0;
  if (PKCS8_pkey_get0(nullptr, &octets, &size, nullptr, info) != 1 || size <= 0) return 0;
  const std::string uri(reinterpret_cast<const char*>(octets), static_cast<size_t>(size));
  ENGINE* libp11 = ENGINE_by_id("pkcs11");
  if (libp11 == nullptr) return 0;
  EVP_PKEY* key = ENGINE_load_private_key(libp11, uri.c_str(), nullptr, nullptr);
  int done = 0;
  if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
    RSA* rsa = EVP_PKEY_get1_RSA(key);
    done = EVP_PKEY_set1_RSA(target, rsa);
    RSA_free(rsa);
  } else if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
    EC_KEY* ec = EVP_PKEY_get1_EC_KEY(key);
    done = EVP_PKEY_set1_EC_KEY(target, ec);
    EC_KEY_free(ec);
  }
  if (done == 1) done = EVP_PKEY_set1_engine(target, libp11);
  EVP_PKEY_free(key);
  ENGINE_free(libp11);
  return done;
}

int Bind(ENGINE* engine, const char*) {
  const int nid = OBJ_create(kOid, "uri-key", "key by URI");
  EVP_PKEY_ASN1_METHOD* method = EVP_PKEY_asn1_new(nid, 0, "URI KEY", "key by URI");
  if (nid == NID_undef || method == nullptr) return 0;
  EVP_PKEY_asn1_set_private(method, DecodePrivateKey, nullptr, nullptr);
  return ENGINE_set_id(engine, kEngineId) == 1 && ENGINE_set_name(engine, "keys by URI") == 1 &&
                 EVP_PKEY_asn1_add0(method) == 1
             ? 1
             : 0;
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] unsigned long v_check(unsigned long version);
[[gnu::visibility("default")]] int bind_engine(ENGINE* engine, const char* id,
                                               const dynamic_fns* functions);
IMPLEMENT_DYNAMIC_CHECK_FN()
IMPLEMENT_DYNAMIC_BIND_FN(Bind)
}
