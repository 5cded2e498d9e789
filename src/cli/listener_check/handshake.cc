#include "cli/listener_check/handshake.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

namespace keybroker::cli {
namespace {

using credential::Certificate;

// MakeSsl reads and writes memory: what goes over the network passes through Connection, which
// bounds it. OpenSSL on the socket itself would go on for as long as a peer sends HelloRequests.
TlsConnection MakeSsl(SSL_CTX* context, const HandshakeWish& wish) {
  TlsConnection ssl(context == nullptr ? nullptr : SSL_new(context));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (!ssl || in == nullptr || out == nullptr || !AskForName(ssl.get(), wish.name)) {
    BIO_free(in);
    BIO_free(out);
    return nullptr;
  }
  SSL_set_bio(ssl.get(), in, out);
  return ssl;
}

Attempt<void> Flush(SSL* ssl, Connection& connection) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
  if (size <= 0) return {};
  auto sent = connection.Send({data, static_cast<size_t>(size)});
  static_cast<void>(BIO_reset(SSL_get_wbio(ssl)));
  return sent;
}

// LooksLikeTls judges a server's first bytes: a handshake or alert record (RFC 8446 section 5.1).
bool LooksLikeTls(std::string_view bytes) {
  const bool record = bytes[0] == SSL3_RT_HANDSHAKE || bytes[0] == SSL3_RT_ALERT;
  return record && (bytes.size() < 2 || bytes[1] == 3);
}

Attempt<void> NotTls(const HandshakeWish& wish, const std::string& bytes) {
  const bool asked = wish.starttls != StartTls::kNone;
  return Failed(Fault::kNotTls,
                "what the server sent is not TLS but \"" + Excerpt(bytes) + "\"" +
                    (asked ? ", although it had agreed to STARTTLS"
                           : ": does it want STARTTLS (--starttls), or is TLS not switched on for "
                             "this port?"));
}

// HandshakeRefusal is the alert that the server sent, or what this side found wrong.
Attempt<void> HandshakeRefusal() {
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(code);
  const char* words = ERR_reason_error_string(code);
  const std::string text = words == nullptr ? "OpenSSL gave no reason" : words;
  ERR_clear_error();
  if (reason < SSL_AD_REASON_OFFSET || reason >= SSL_AD_REASON_OFFSET + 256) {
    return Failed(Fault::kHandshakeBroken, "the server's handshake is wrong: " + text);
  }
  const int alert = reason - SSL_AD_REASON_OFFSET;
  const Fault fault = alert == SSL_AD_PROTOCOL_VERSION ? Fault::kVersionRefused : Fault::kRefused;
  return Failed(fault,
                std::string("the server ended the handshake with the alert \"") +
                    SSL_alert_desc_string_long(alert) + "\"",
                alert);
}

// Exchange carries bytes between OpenSSL and the server until the handshake is done.
Attempt<void> Exchange(SSL* ssl, Connection& connection, const HandshakeWish& wish) {
  bool heard = false;
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl);
    const int want = SSL_get_error(ssl, result);
    auto sent = Flush(ssl, connection);
    if (result == 1) return sent;
    if (want != SSL_ERROR_WANT_READ) return HandshakeRefusal();
    if (!sent) return sent;
    auto received = connection.Receive();
    if (!received) return tl::unexpected<Problem>(std::move(received.error()));
    const std::string bytes = std::move(*received);
    if (!heard && !LooksLikeTls(bytes)) return NotTls(wish, bytes);
    heard = true;
    if (BIO_write(SSL_get_rbio(ssl), bytes.data(), static_cast<int>(bytes.size())) <= 0) {
      return Failed(Fault::kHandshakeBroken, "there is no memory for the handshake");
    }
  }
}

Attempt<std::vector<Certificate>> Served(SSL* ssl) {
  auto served = ServedChain(ssl);
  if (!served) return Failed(Fault::kHandshakeBroken, served.error().detail);
  return std::move(*served);
}

}  // namespace

Attempt<std::vector<Certificate>> ShakeHands(const HandshakeWish& wish) {
  const auto deadline = std::chrono::steady_clock::now() + wish.limit;
  auto connection = Connection::Open(wish.address, deadline);
  if (!connection) return tl::unexpected<Problem>(std::move(connection.error()));
  if (auto asked = AskForTls(wish.starttls, *connection); !asked) {
    Problem problem = std::move(asked.error());
    if (problem.fault == Fault::kSilent) {
      problem.text += ": does this port want TLS from the first byte, without --starttls?";
    }
    return tl::unexpected<Problem>(std::move(problem));
  }
  const TlsContext context = ClientContext(wish.version, wish.type);
  const TlsConnection ssl = MakeSsl(context.get(), wish);
  if (!ssl) return Failed(Fault::kHandshakeBroken, "OpenSSL on this host cannot do this handshake");
  if (auto done = Exchange(ssl.get(), *connection, wish); !done) {
    return tl::unexpected<Problem>(std::move(done.error()));
  }
  auto served = Served(ssl.get());
  // Politeness only: a server that is told goodbye logs no error.
  SSL_shutdown(ssl.get());
  static_cast<void>(Flush(ssl.get(), *connection));
  return served;
}

}  // namespace keybroker::cli
