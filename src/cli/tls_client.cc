#include "cli/tls_client.h"

#include <openssl/ssl.h>

#include <utility>

namespace keybroker::cli {
namespace {

constexpr long kLongestChain = 64 * 1024;

// What only a key of that type can answer: static RSA key exchange is left out, the broker never
// decrypts.
struct Algorithms {
  const char* signatures;
  const char* ciphers;  // TLS 1.2
};
constexpr Algorithms kRsa{
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512",
    "ECDHE+aRSA:DHE+aRSA"};
constexpr Algorithms kEc{"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512", "ECDHE+aECDSA"};

}  // namespace

void FreeTls::operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
void FreeTls::operator()(SSL* ssl) const { ::SSL_free(ssl); }

std::string TlsVersionName(TlsVersion version) {
  return version == TlsVersion::k12 ? "1.2" : "1.3";
}

TlsContext ClientContext(TlsVersion version, cryptoki::KeyType type) {
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  const Algorithms& algorithms = type == cryptoki::KeyType::kRsa ? kRsa : kEc;
  const int number = version == TlsVersion::k12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  if (!context || SSL_CTX_set_min_proto_version(context.get(), number) != 1 ||
      SSL_CTX_set_max_proto_version(context.get(), number) != 1 ||
      SSL_CTX_set1_sigalgs_list(context.get(), algorithms.signatures) != 1 ||
      SSL_CTX_set_cipher_list(context.get(), algorithms.ciphers) != 1) {
    return nullptr;
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_max_cert_list(context.get(), kLongestChain);
  return context;
}

// By SSL_ctrl: SSL_set_tlsext_host_name is a macro with a cast of the old style.
bool AskForName(SSL* ssl, std::string name) {
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

Result<std::vector<credential::Certificate>> ServedChain(SSL* ssl) {
  std::vector<credential::Certificate> all;
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(sk_X509_value(chain, i), &bytes);
    if (size <= 0) return Fail(Malformed("a certificate cannot be encoded"));
    auto one = credential::ParseCertificate({bytes, static_cast<size_t>(size)});
    OPENSSL_free(bytes);
    KB_TRY(one);
    all.push_back(std::move(*one));
  }
  if (all.empty()) return Fail(Malformed("the server sent no certificate"));
  return all;
}

}  // namespace keybroker::cli
