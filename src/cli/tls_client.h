#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::cli {

// TlsVersion is what a handshake insists on.
enum class TlsVersion { k12, k13 };

// TlsVersionName is "1.2" or "1.3".
std::string TlsVersionName(TlsVersion version);

struct FreeTls {
  void operator()(SSL_CTX* context) const;
  void operator()(SSL* ssl) const;
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;
using TlsConnection = std::unique_ptr<SSL, FreeTls>;

// ClientContext is a client of that version alone, which no key of the other type can answer; it
// verifies no chain. Null when this OpenSSL cannot.
TlsContext ClientContext(TlsVersion version, cryptoki::KeyType type);

// AskForName asks the server for a name (RFC 6066 section 3).
bool AskForName(SSL* ssl, std::string name);

// ServedChain is what the server sent, leaf first. Malformed: nothing, or no certificate.
Result<std::vector<credential::Certificate>> ServedChain(SSL* ssl);

}  // namespace keybroker::cli
