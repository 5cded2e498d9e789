#pragma once

#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

// FindChain puts the certificates of a file, which may be in any order, into found->chain: the
// newest of found's public key, then each one's issuer, the root left out. What is left over is
// told in found->notes.
void FindChain(std::vector<credential::Certificate> certificates, ForeignKey* found);

}  // namespace keybroker::backup
