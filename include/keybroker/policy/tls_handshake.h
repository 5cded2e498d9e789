#pragma once

#include <cstdint>
#include <span>

namespace keybroker::policy {

// IsTlsHandshakeMessage tells whether message is what a TLS server signs in a handshake: the
// content of a TLS 1.3 server's CertificateVerify (RFC 8446 section 4.4.3) with a transcript hash
// of SHA-256 or SHA-384, or of a TLS 1.2 ServerKeyExchange with a named curve (RFC 8422
// section 5.4). Finite field groups are not among them, and neither is anything that is one DER
// SEQUENCE or SET from end to end, so that no certificate, request or CMS attribute set passes for
// the free bytes of the randoms. Total, no allocation.
bool IsTlsHandshakeMessage(std::span<const uint8_t> message);

}  // namespace keybroker::policy
