#pragma once

#include "cli/drill_listener/child.h"
#include "cli/drill_listener/stack.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {

// DrillListener is a TLS server as they all are: a process of its own, whose OpenSSL reads
// certificates and key from the reference, by our engine and module. It serves one connection.
struct DrillListener {
  DrillChild process;
  UniqueFd connection;  // the client's end
};

// StartListener returns when the key is loaded. What the listener finds wrong it writes to standard
// error.
Result<DrillListener> StartListener(const DrillFiles& files);

// kDrillChallenge is how many bytes the listener reads from the client, and sends back.
inline constexpr size_t kDrillChallenge = 32;

}  // namespace keybroker::cli
