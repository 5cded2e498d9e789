#include "broker/bind_endpoint.h"

#include <utility>

#include "keybroker/ipc/directory.h"
#include "keybroker/ipc/unix_address.h"

namespace keybroker::broker {

Result<ipc::PreparedSocket> PrepareEndpoint(const Endpoint& endpoint, ipc::Replace replace,
                                            ipc::Listens listens) {
  // No directory is made for a socket that cannot be.
  KB_TRY(ipc::UnixAddress::OfPath(endpoint.path));
  KB_ASSIGN(const auto directory,
            ipc::MakeSafeDirectory(endpoint.path.parent_path(), endpoint.jail));
  return ipc::PrepareSocket({.path = directory / endpoint.path.filename(),
                             .owner = endpoint.owner,
                             .group = endpoint.group,
                             .mode = endpoint.mode,
                             .listens = listens},
                            replace);
}

Result<UniqueFd> BindEndpoint(const Endpoint& endpoint) {
  KB_ASSIGN(ipc::PreparedSocket made,
            PrepareEndpoint(endpoint, ipc::Replace::kOnlyStale, ipc::Listens::kNow));
  KB_TRY(ipc::PublishSocket(made));
  return std::move(made.fd);
}

}  // namespace keybroker::broker
