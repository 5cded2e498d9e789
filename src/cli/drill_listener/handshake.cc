#include "cli/drill_listener/handshake.h"

#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

#include "cli/drill_listener/listener.h"
#include "cli/openssl_says.h"

namespace keybroker::cli {
namespace {

// ClientName is what a client asks for; of a wildcard's names, one.
std::string ClientName(const std::string& key_name) {
  return key_name.starts_with("*.") ? "keybroker-drill" + key_name.substr(1) : key_name;
}

// TrustLast: whoever has the root trusts the last certificate, and so what it leads to.
bool TrustLast(SSL_CTX* context, const std::vector<credential::Certificate>& chain) {
  const auto& der = chain.back().der;
  const unsigned char* at = der.data();
  const std::unique_ptr<X509, decltype(&X509_free)> anchor(
      d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free);
  return anchor && X509_STORE_add_cert(SSL_CTX_get_cert_store(context), anchor.get()) == 1;
}

TlsConnection MakeClient(SSL_CTX* context, int fd, const DrillWish& wish) {
  if (context == nullptr || !TrustLast(context, wish.chain)) return nullptr;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  TlsConnection ssl(SSL_new(context));
  const std::string name = ClientName(wish.name);
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1 || !AskForName(ssl.get(), name) ||
      SSL_set1_host(ssl.get(), name.c_str()) != 1) {
    return nullptr;
  }
  X509_VERIFY_PARAM_set_flags(SSL_get0_param(ssl.get()),
                              X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
  return ssl;
}

Error HandshakeFailed(const SSL* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  const std::string said = OpenSslSays();
  if (verified != X509_V_OK) {
    return TokenFailed("the client does not accept the backup's certificates: " +
                       std::string(X509_verify_cert_error_string(verified)));
  }
  return TokenFailed("the handshake failed: " + said);
}

Status ServesTheBackups(SSL* ssl, const std::vector<credential::Certificate>& chain) {
  KB_ASSIGN(const auto served, ServedChain(ssl));
  const bool same = std::equal(served.begin(), served.end(), chain.begin(), chain.end(),
                               [](const auto& a, const auto& b) { return a.der == b.der; });
  if (same) return {};
  return Fail(TokenFailed("the served certificates are not those of the backup"));
}

Status ChallengeComesBack(SSL* ssl) {
  std::array<unsigned char, kDrillChallenge> challenge{};
  std::array<unsigned char, kDrillChallenge> answer{};
  size_t sent = 0;
  size_t got = 0;
  if (RAND_bytes(challenge.data(), static_cast<int>(challenge.size())) != 1) {
    return Fail(Internal("no random bytes"));
  }
  if (SSL_write_ex(ssl, challenge.data(), challenge.size(), &sent) == 1 &&
      SSL_read_ex(ssl, answer.data(), answer.size(), &got) == 1 && got == challenge.size() &&
      answer == challenge) {
    return {};
  }
  return Fail(
      TokenFailed("what was sent through the connection does not come back: " + OpenSslSays()));
}

std::string SignatureOf(SSL* ssl) {
  int type = NID_undef;
  int digest = NID_undef;
  SSL_get_peer_signature_type_nid(ssl, &type);
  SSL_get_peer_signature_nid(ssl, &digest);
  const std::string name = type == EVP_PKEY_RSA_PSS ? "RSA-PSS"
                           : type == EVP_PKEY_RSA   ? "RSA"
                                                    : "ECDSA";
  return name + "+" + OBJ_nid2sn(digest);
}

}  // namespace

Result<DrillHandshake> ShakeHandsWithListener(int fd, const DrillWish& wish) {
  const TlsContext context = ClientContext(wish.version, wish.type);
  const TlsConnection ssl = MakeClient(context.get(), fd, wish);
  if (!ssl) return Fail(Internal("OpenSSL on this host cannot do this handshake"));
  const auto begun = std::chrono::steady_clock::now();
  if (SSL_connect(ssl.get()) != 1) return Fail(HandshakeFailed(ssl.get()));
  DrillHandshake made;
  made.ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
  made.version = SSL_get_version(ssl.get());
  made.cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl.get()));
  made.signature = SignatureOf(ssl.get());
  KB_TRY(ServesTheBackups(ssl.get(), wish.chain));
  KB_TRY(ChallengeComesBack(ssl.get()));
  SSL_shutdown(ssl.get());
  return made;
}

}  // namespace keybroker::cli
