#pragma once

#include "backup/openssl.h"
#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {

// ReadPbes2 takes an EncryptedPrivateKeyInfo's algorithm apart: PBKDF2 with HMAC-SHA256 under the
// caps, and one of the two encryptions. Nothing is derived.
FileResult<void> ReadPbes2(const X509_ALGOR& algorithm, Backup* backup);

// ReadCount is an INTEGER from 1 to cap; kOverCap when it is more. what names it.
FileResult<uint32_t> ReadCount(const ASN1_INTEGER* number, uint32_t cap, const char* what);

}  // namespace keybroker::backup
