#pragma once

#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {

// PrivateKeyPem unwraps a backup's key in this process and gives it in the clear, as PKCS#8 in PEM
// (RFC 7468 section 10): for a token that takes keys only by its vendor's own tool. Malformed when
// what the file holds is not the private key of its manifest.
Result<Secret> PrivateKeyPem(const Backup& backup, const Secret& kek);

}  // namespace keybroker::backup
