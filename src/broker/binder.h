#pragma once

#include <set>
#include <string>
#include <vector>

#include "broker/configuration.h"
#include "broker/endpoint_set.h"
#include "keybroker/base/process.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/config/settings.h"

namespace keybroker::broker {

// WantedEndpoints are the sockets the broker binds itself: all of configuration's listeners but
// those that systemd made (activated, by listener name).
std::vector<Endpoint> WantedEndpoints(const Configuration& configuration,
                                      const std::set<std::string>& activated);

// Binder makes listening sockets for the broker, also after the broker has given up root. Started
// as root it lives on as a small process of its own, which reads the configuration itself and binds
// only what that says: the broker can ask it for nothing but "once more", and says by a digest what
// it read itself, so that nothing is bound of which the two read otherwise. It ends with the
// broker.
class Binder {
 public:
  // Binder binds in this process. broker owns the sockets of listeners whose files name no owner.
  Binder(config::Settings settings, User broker, std::set<std::string> activated)
      : settings_(std::move(settings)),
        broker_(std::move(broker)),
        activated_(std::move(activated)) {}

  // Separate moves the binding to a process of its own; call it while still root and before there
  // are threads.
  Status Separate();

  // BindFirst makes configuration's sockets; they do not listen yet.
  Result<std::vector<BoundEndpoint>> BindFirst(const Configuration& configuration);

  // Bind makes the sockets of configuration that are not there yet and removes the names of those
  // that are no longer wanted. On failure, such as a file that was changed since configuration was
  // read, nothing has changed. Not thread-safe.
  Result<std::vector<BoundEndpoint>> Bind(const Configuration& configuration);

 private:
  [[noreturn]] void Serve(UniqueFd socket);
  Result<std::vector<BoundEndpoint>> Rebind(size_t read_by_broker);

  config::Settings settings_;
  User broker_;
  std::set<std::string> activated_;
  EndpointSet endpoints_;
  UniqueFd process_;  // the way to the separate process, once there is one
};

}  // namespace keybroker::broker
