#include "broker/snapshot.h"

#include <utility>

namespace keybroker::broker {

std::shared_ptr<const Snapshot> MakeSnapshot(Configuration configuration,
                                             std::vector<std::shared_ptr<ListenerState>> listeners,
                                             std::vector<TokenKeys> tokens) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->configuration = std::move(configuration);
  snapshot->listeners = std::move(listeners);
  snapshot->tokens = std::move(tokens);
  snapshot->warnings = snapshot->configuration.warnings;
  snapshot->keys = AllKeys(snapshot->tokens, snapshot->configuration.current, snapshot->warnings);
  for (size_t i = 0; i < snapshot->listeners.size(); ++i) {
    snapshot->views.emplace(snapshot->listeners[i].get(),
                            std::make_shared<const View>(snapshot->configuration.listeners[i],
                                                         snapshot->tokens, snapshot->keys));
  }
  if (snapshot->listeners.empty()) snapshot->warnings.push_back("no listener is configured");
  if (snapshot->tokens.empty()) snapshot->warnings.push_back("no token is configured");
  return snapshot;
}

}  // namespace keybroker::broker
