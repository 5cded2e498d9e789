#include "broker/bind_endpoint.h"

#include <utility>

#include "keybroker/ipc/directory.h"
#include "keybroker/ipc/unix_address.h"

namespace keybroker::broker {

Result<ipc::PreparedSocket> PrepareEndpoint(const Endpoint& endpoint, uid_t trusted,
                                            ipc::Replace replace) {
  // No directory is made for a socket that cannot be.
  KB_TRY(ipc::UnixAddress::OfPath(endpoint.path));
  KB_TRY(ipc::MakeSafeDirectory(endpoint.path.parent_path(), trusted, endpoint.jail));
  return ipc::PrepareSocket({endpoint.path, endpoint.owner, endpoint.group, endpoint.mode},
                            replace);
}

Result<UniqueFd> BindEndpoint(const Endpoint& endpoint, uid_t trusted) {
  KB_ASSIGN(ipc::PreparedSocket made, PrepareEndpoint(endpoint, trusted, ipc::Replace::kOnlyStale));
  KB_TRY(ipc::PublishSocket(made, endpoint.path));
  return std::move(made.fd);
}

}  // namespace keybroker::broker
