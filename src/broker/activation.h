#pragma once

#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::broker {

// ActivatedSocket is a listening socket that systemd made: name is the listener's, or "admin".
struct ActivatedSocket {
  std::string name;
  UniqueFd fd;
};

// TakeActivatedSockets takes over what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES describe
// (sd_listen_fds(3)) and removes the variables. Empty when they are not meant for this process;
// Malformed when a socket has no name or is of the wrong kind.
Result<std::vector<ActivatedSocket>> TakeActivatedSockets();

}  // namespace keybroker::broker
