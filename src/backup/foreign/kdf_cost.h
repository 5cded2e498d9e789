#pragma once

#include "backup/openssl.h"
#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

// KdfCost adds up what a file asks to be derived, and refuses before it is too much.
class KdfCost {
 public:
  // Add takes a password-based encryption's AlgorithmIdentifier: PBES1 and PBES2 (RFC 8018) and
  // those of PKCS#12 (RFC 7292 appendix C). kUnsupported names any other.
  KeyFileResult<void> Add(const X509_ALGOR* algorithm);

  // AddMac takes a PKCS#12 MAC's salt and iterations (nullptr: 1).
  KeyFileResult<void> AddMac(const ASN1_OCTET_STRING* salt, const ASN1_INTEGER* iterations);

 private:
  KeyFileResult<void> AddPbes2(const X509_ALGOR* algorithm);
  KeyFileResult<void> AddScrypt(const X509_ALGOR* algorithm);
  KeyFileResult<void> AddIterations(const ASN1_INTEGER* iterations);

  uint64_t iterations_ = 0;
  uint64_t scrypt_ = 0;
};

// EncryptionName names a password-based encryption for the reader, such as "PBES2 (AES-256-CBC)".
std::string EncryptionName(const X509_ALGOR* algorithm);

}  // namespace keybroker::backup
