#pragma once

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// TakeRunLock sees to it that one `keybroker run` serves a configuration: a second one would start
// its programs for ever, and each would find its sockets in use. Conflict names the process that
// has the lock, or the broker that serves runtime_dir without one (a systemd unit), and what to do.
// Keep the descriptor for as long as the programs run.
Result<UniqueFd> TakeRunLock(const config::Settings& settings);

}  // namespace keybroker::cli
