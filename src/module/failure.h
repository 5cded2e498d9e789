#pragma once

#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/wire/sign.h"

namespace keybroker::module {

// FailureRv is what the host is told of a Failure: its CK_RV when that is one a caller can make
// sense of, else one that stands for the code. CK_RVs that would send a host astray (to ask for a
// PIN, to give a larger buffer, to initialise again) are not handed on.
CK_RV FailureRv(const wire::Failure& failure);

}  // namespace keybroker::module
