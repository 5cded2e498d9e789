#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "broker/endpoint.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/ipc/listening_socket.h"

namespace keybroker::broker {

// BoundEndpoint is an endpoint whose socket has its name.
struct BoundEndpoint {
  Endpoint endpoint;
  UniqueFd fd;
};

// EndpointSet remembers which endpoints this process has bound, and binds what is new.
class EndpointSet {
 public:
  // Reconcile binds what is wanted and not bound yet, and gives those; then it removes the names of
  // what is no longer wanted. Their sockets listen as listens says. On failure nothing has changed.
  Result<std::vector<BoundEndpoint>> Reconcile(const std::vector<Endpoint>& wanted,
                                               ipc::Listens listens);

 private:
  std::vector<Endpoint> bound_;
  std::map<std::filesystem::path, std::filesystem::path>
      places_;  // of bound_ by path: PreparedSocket::path
};

}  // namespace keybroker::broker
