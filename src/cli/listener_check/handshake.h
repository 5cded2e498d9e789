#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/listener_check/connection.h"
#include "cli/listener_check/problem.h"
#include "cli/listener_check/starttls.h"
#include "cli/tls_client.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::cli {

// HandshakeWish is one handshake: with one version of TLS, and signatures of one type of key.
struct HandshakeWish {
  Address address;
  StartTls starttls = StartTls::kNone;
  std::string name;  // server name to ask for (RFC 6066 section 3)
  TlsVersion version = TlsVersion::k13;
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  std::chrono::seconds limit{10};  // for all of it
};

// ShakeHands makes a new connection and a full handshake, and gives the certificates that the
// server sent, leaf first. The server's signature was verified with the leaf's key; the chain is
// for the caller to judge.
Attempt<std::vector<credential::Certificate>> ShakeHands(const HandshakeWish& wish);

}  // namespace keybroker::cli
