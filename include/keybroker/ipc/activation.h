#pragma once

#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::ipc {

// ActivatedSocket is a listening socket that systemd made. name is FileDescriptorName= of its unit,
// empty where LISTEN_FDNAMES has none.
struct ActivatedSocket {
  std::string name;
  UniqueFd fd;
};

// TakeActivatedSockets takes over what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES describe
// (sd_listen_fds(3)) and removes the variables; each socket is prepared as PrepareSocket does.
// Empty when they are not meant for this process. Malformed when one is not a listening AF_UNIX
// SOCK_SEQPACKET socket.
Result<std::vector<ActivatedSocket>> TakeActivatedSockets();

}  // namespace keybroker::ipc
