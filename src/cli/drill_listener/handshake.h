#pragma once

#include <string>
#include <vector>

#include "cli/tls_client.h"
#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {

// DrillHandshake is what a client of one version of TLS found.
struct DrillHandshake {
  std::string version;    // "TLSv1.3"
  std::string cipher;     // OpenSSL's name
  std::string signature;  // the server's: "RSA-PSS+SHA256"
  double ms = 0;
};

// DrillWish is what the client asks for, and what it has to get.
struct DrillWish {
  TlsVersion version = TlsVersion::k13;
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  std::string name;                                   // key name
  const std::vector<credential::Certificate>& chain;  // the backup's, leaf first
};

// ShakeHandsWithListener makes a full handshake on fd. The served certificates are those of the
// backup, byte for byte, lead to the last of them, and are for the name; a random challenge comes
// back through the connection. Their times are not judged: what is proved is the key. TokenFailed
// says what was otherwise.
Result<DrillHandshake> ShakeHandsWithListener(int fd, const DrillWish& wish);

}  // namespace keybroker::cli
