#pragma once

#include "module/process.h"

namespace keybroker::module {

// Connect makes a new connection, greets the broker and notes what it says, waiting for a broker as
// long as the process's budget lasts. CKR_DEVICE_ERROR when there is none; the CK_RV of a Failure
// when the broker refuses this process; CKR_CRYPTOKI_NOT_INITIALIZED; CKR_HOST_MEMORY.
CK_RV Connect(const Call& call, Connection** connection);

}  // namespace keybroker::module
