// read_key FILE [fork|threads|twice|engine|handshake]: what a listener does with a key file, told
// on stdout: reads it by PEM_read_bio_PrivateKey under OPENSSL_CONF, signs as TLS does and
// verifies; what it signs is some text, or for "handshake" what a TLS 1.3 server signs (RFC 8446
// section 4.4.3). Each error on OpenSSL's queue that is the engine's own is one line "error REASON:
// TEXT"; the status is then 1. Where none is, OpenSSL's own are told.
#include <openssl/conf.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

int PrintErrors() {
  const char* text = nullptr;
  int flags = 0;
  bool ours = false;
  std::string others;
  while (unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &text, &flags)) {
    const char* library = ERR_lib_error_string(code);
    const char* reason = ERR_reason_error_string(code);
    if (library != nullptr && strcmp(library, "keybroker engine") == 0) {
      printf("error %s: %s\n", reason, (flags & ERR_TXT_STRING) != 0 ? text : "");
      ours = true;
    } else {
      others += std::string("openssl ") + (reason != nullptr ? reason : "?") + "\n";
    }
  }
  if (!ours) printf("%s", others.c_str());
  return 1;
}

EVP_PKEY* ReadFile(const char* path) {
  BIO* file = BIO_new_file(path, "r");
  EVP_PKEY* key = PEM_read_bio_PrivateKey(file, nullptr, nullptr, nullptr);
  BIO_free(file);
  return key;
}

EVP_PKEY* ReadByEngine(const char* name) {
  ENGINE* engine = ENGINE_by_id("keybroker");
  EVP_PKEY* key = ENGINE_load_private_key(engine, name, nullptr, nullptr);
  ENGINE_free(engine);
  return key;
}

constexpr std::string_view kText = "client hello, server hello";
std::string message{kText};

std::string CertificateVerify() {
  return std::string(64, ' ') + "TLS 1.3, server CertificateVerify" + std::string(1, '\0') +
         std::string(32, 'T');
}

// One signature as TLS makes it: RSA-PSS with SHA-256 or PKCS#1 v1.5, or ECDSA.
bool SignAndVerify(EVP_PKEY* key, const EVP_MD* digest, int padding) {
  std::array<unsigned char, 1024> signature;
  size_t size = signature.size();
  auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  EVP_PKEY_CTX* parameters = nullptr;
  EVP_MD_CTX* sign = EVP_MD_CTX_new();
  bool done = EVP_DigestSignInit(sign, &parameters, digest, nullptr, key) == 1 &&
              (padding == 0 || EVP_PKEY_CTX_set_rsa_padding(parameters, padding) == 1) &&
              (padding != RSA_PKCS1_PSS_PADDING ||
               EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1) &&
              EVP_DigestSign(sign, signature.data(), &size, bytes, message.size()) == 1;
  EVP_MD_CTX_free(sign);
  EVP_MD_CTX* verify = EVP_MD_CTX_new();
  done = done && EVP_DigestVerifyInit(verify, &parameters, digest, nullptr, key) == 1 &&
         (padding == 0 || EVP_PKEY_CTX_set_rsa_padding(parameters, padding) == 1) &&
         EVP_DigestVerify(verify, signature.data(), size, bytes, message.size()) == 1;
  EVP_MD_CTX_free(verify);
  return done;
}

bool SignEveryWay(EVP_PKEY* key) {
  for (const EVP_MD* digest : {EVP_sha256(), EVP_sha384(), EVP_sha512()}) {
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
      if (!SignAndVerify(key, digest, 0)) return false;
    } else if (!SignAndVerify(key, digest, RSA_PKCS1_PSS_PADDING) ||
               !SignAndVerify(key, digest, RSA_PKCS1_PADDING)) {
      return false;
    }
  }
  return true;
}

// Workers that were forked after the key was loaded, as nginx's are; one of them forks again.
bool SignInChildren(EVP_PKEY* key, int depth) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    pid_t child = fork();
    if (child == 0) {
      bool done = SignEveryWay(key) && (i > 0 || depth == 0 || SignInChildren(key, depth - 1));
      _exit(done ? 0 : 1);
    }
    children.push_back(child);
  }
  bool all = true;
  for (pid_t child : children) {
    int status = 1;
    all = waitpid(child, &status, 0) == child && status == 0 && all;
  }
  return all && SignEveryWay(key);
}

bool SignInThreads(EVP_PKEY* key) {
  std::vector<std::thread> threads;
  std::array<bool, 8> done{};
  for (bool& result : done) {
    threads.emplace_back([&result, key] {
      result = true;
      for (int i = 0; i < 5; ++i) result = SignEveryWay(key) && result;
    });
  }
  for (std::thread& thread : threads) thread.join();
  bool all = true;
  for (bool result : done) all = all && result;
  return all;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  std::string_view mode = count > 2 ? arguments[2] : "";
  EVP_PKEY* key = mode == "engine" ? ReadByEngine(arguments[1]) : ReadFile(arguments[1]);
  if (key == nullptr) return PrintErrors();
  if (mode == "handshake") message = CertificateVerify();
  bool done = SignEveryWay(key);
  if (mode == "fork") done = done && SignInChildren(key, 1);
  if (mode == "threads") done = done && SignInThreads(key);
  if (mode == "twice") {
    // A server that reloads: the configuration is read again (OpenSSL refuses the second engine of
    // that name and frees it), the key too, and the old key goes on.
    CONF_modules_load_file(nullptr, nullptr, CONF_MFLAGS_DEFAULT_SECTION);
    EVP_PKEY* again = ReadFile(arguments[1]);
    done = done && again != nullptr && SignEveryWay(again) && SignEveryWay(key);
    EVP_PKEY_free(again);
    done = done && SignEveryWay(key);
  }
  if (!done) return PrintErrors();
  printf("%s %d\n", EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? "rsa" : "ec",
         EVP_PKEY_get_bits(key));
  EVP_PKEY_free(key);
  return 0;
}
