#pragma once

#include "keybroker/credential/certificate.h"

namespace keybroker::backup {

// IssuedBy tells whether issuer's name and signature are on certificate. Dates do not count: a
// backup outlives its certificate.
bool IssuedBy(const credential::Certificate& certificate, const credential::Certificate& issuer);

}  // namespace keybroker::backup
