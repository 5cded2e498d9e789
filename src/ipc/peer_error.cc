#include "ipc/peer_error.h"

#include <cerrno>
#include <system_error>

namespace keybroker::ipc {

Error PeerError(int errno_value) {
  // std::generic_category().message is strerror without its shared buffer.
  std::string text = std::generic_category().message(errno_value);
  if (errno_value == EACCES || errno_value == EPERM) return Denied(std::move(text));
  return Unavailable(std::move(text));
}

}  // namespace keybroker::ipc
