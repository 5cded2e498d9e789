#pragma once

#include "keybroker/base/error.h"

namespace keybroker::ipc {

// PeerError is the Error of a system call that did not reach the peer: Denied for EACCES and EPERM,
// else Unavailable; its detail is strerror's text alone.
Error PeerError(int errno_value);

}  // namespace keybroker::ipc
