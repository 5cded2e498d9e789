#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keybroker/backup/backup_file.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::backup {

// IssuerAndSerial is the DER IssuerAndSerialNumber (RFC 5652 section 10.2.4) by which a CMS file
// names a certificate.
Result<std::vector<uint8_t>> IssuerAndSerial(const credential::Certificate& certificate);

// CheckRecoveryCertificate accepts what a CMS backup can be for: an RSA key of 2048, 3072 or 4096
// bits that may encipher keys (RFC 5280 section 4.2.1.3), valid at now. Malformed says what is
// wrong.
Status CheckRecoveryCertificate(const credential::Certificate& certificate, int64_t now);

// RecipientText names a recipient: issuer and serial number of his certificate.
std::string RecipientText(const Recipient& recipient);

// CmsSignedAttributes is what the key signs (RFC 5652 section 5.4): DER, by
// credential::SignMessage. The backup is whole but for its signature.
Result<std::string> CmsSignedAttributes(const Backup& backup);

// FormatCms writes a CMS file's bytes (docs/backup-format.md) around the signature, and reads them
// back: what a reader would refuse is Malformed.
Result<std::string> FormatCms(const Backup& backup);

// OpenContentKey gives the AES-256 key that the private key is wrapped under, by the private key of
// a recipient (PKCS#8), whichever that is. kNoRecipient: he is none. Whoever has the content key
// can unwrap the private key.
FileResult<Secret> OpenContentKey(const Backup& backup, const Secret& recovery_key);

}  // namespace keybroker::backup
