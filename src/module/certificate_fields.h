#pragma once

#include <optional>

#include "keybroker/wire/buffer.h"

namespace keybroker::module {

// CertificateFields are the attributes of a CKO_CERTIFICATE object that stand in the certificate
// itself (PKCS#11 v2.40 section 4.6.3), each a whole DER element. They point into the certificate.
struct CertificateFields {
  wire::Bytes serial_number;
  wire::Bytes issuer;
  wire::Bytes subject;
};

// ReadCertificateFields reads them out of a DER certificate (RFC 5280 section 4.1), as far as the
// public key and no further. Nothing when that much is not well-formed DER.
std::optional<CertificateFields> ReadCertificateFields(wire::Bytes certificate);

}  // namespace keybroker::module
