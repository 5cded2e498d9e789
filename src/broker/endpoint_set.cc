#include "broker/endpoint_set.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "broker/bind_endpoint.h"

namespace keybroker::broker {
namespace {

bool HasPath(const std::vector<Endpoint>& endpoints, const Endpoint& endpoint) {
  return std::any_of(endpoints.begin(), endpoints.end(),
                     [&](const Endpoint& other) { return other.path == endpoint.path; });
}

}  // namespace

Result<std::vector<BoundEndpoint>> EndpointSet::Reconcile(const std::vector<Endpoint>& wanted,
                                                          ipc::Listens listens) {
  std::vector<ipc::PreparedSocket> prepared;
  std::vector<BoundEndpoint> fresh;
  for (const Endpoint& endpoint : wanted) {
    if (std::find(bound_.begin(), bound_.end(), endpoint) != bound_.end()) continue;
    // Ours already, with another owner or mode: the new one takes its name.
    const auto replace =
        HasPath(bound_, endpoint) ? ipc::Replace::kOurOwn : ipc::Replace::kOnlyStale;
    auto socket = PrepareEndpoint(endpoint, replace, listens);
    if (!socket) {
      for (const ipc::PreparedSocket& undo : prepared) ::unlink(undo.beside.c_str());
      return Fail(std::move(socket).error());
    }
    prepared.push_back(std::move(*socket));
    fresh.push_back({endpoint, {}});
  }
  // All that can fail for reasons of the configuration is behind us; only renames are left.
  for (size_t i = 0; i < fresh.size(); ++i) {
    KB_TRY(ipc::PublishSocket(prepared[i]));
    places_[fresh[i].endpoint.path] = prepared[i].path;
    fresh[i].fd = std::move(prepared[i].fd);
  }
  for (const Endpoint& old : bound_) {
    if (HasPath(wanted, old)) continue;
    // By the place that was checked: what a link in its path points to may have changed.
    if (const auto place = places_.extract(old.path)) ::unlink(place.mapped().c_str());
  }
  bound_ = wanted;
  return fresh;
}

}  // namespace keybroker::broker
