#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/connection.h"
#include "broker/view.h"
#include "keybroker/base/guarded.h"

namespace keybroker::broker {

// Snapshot is one consistent state of configuration and keys: what every request is judged by.
// Immutable once published.
struct Snapshot {
  Configuration configuration;
  std::vector<std::shared_ptr<ListenerState>> listeners;  // in the configuration's order
  std::vector<TokenKeys> tokens;
  std::vector<KnownKey> keys;
  std::unordered_map<const ListenerState*, std::shared_ptr<const View>> views;
  std::vector<std::string> warnings;
};

// MakeSnapshot joins configuration and tokens.
std::shared_ptr<const Snapshot> MakeSnapshot(Configuration configuration,
                                             std::vector<std::shared_ptr<ListenerState>> listeners,
                                             std::vector<TokenKeys> tokens);

// SnapshotCell holds the snapshot in force. Its version changes with each Publish: a thread keeps
// its own reference and takes the lock only when the version is another. Thread-safe.
class SnapshotCell {
 public:
  void Publish(std::shared_ptr<const Snapshot> snapshot) {
    held_.With([&](auto& held) { held = std::move(snapshot); });
    version_.fetch_add(1, std::memory_order_release);
  }
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const Snapshot> Read() const {
    return held_.With([](const auto& held) { return held; });
  }

 private:
  std::atomic<uint64_t> version_{0};
  Guarded<std::shared_ptr<const Snapshot>> held_;
};

}  // namespace keybroker::broker
