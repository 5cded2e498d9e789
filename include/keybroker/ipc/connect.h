#pragma once

#include <chrono>
#include <filesystem>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::ipc {

// FullBacklog says what a listener is that does not accept, so that its backlog is full: as good as
// none, or worth waiting for as long as for an answer.
enum class FullBacklog { kFail, kWait };

// Connect connects to the SOCK_SEQPACKET socket at path. A later send or receive on it waits at
// most timeout. Denied: this user may not. Unavailable: nobody listens there. Both give the
// system's words for it, to which the caller adds what to do.
Result<UniqueFd> Connect(const std::filesystem::path& path, std::chrono::milliseconds timeout,
                         FullBacklog backlog);

}  // namespace keybroker::ipc
