#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "broker/admin_server.h"
#include "broker/auditor.h"
#include "broker/binder.h"
#include "broker/configuration.h"
#include "broker/event_set.h"
#include "broker/log_limiter.h"
#include "broker/snapshot.h"
#include "broker/token_watch.h"
#include "broker/worker.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/ipc/activation.h"

namespace keybroker::broker {

// Prepared is what is made while the process may still be root.
struct Prepared {
  config::Settings settings;
  User broker;
  Configuration configuration;
  std::unique_ptr<Binder> binder;
  std::vector<BoundEndpoint> sockets;
  UniqueFd admin;
};

// Prepare reads the configuration, makes directories and sockets (those in activated excepted), and
// when the process is root puts the binder into a process of its own. It does not give up root.
Result<Prepared> Prepare(config::Settings settings, std::vector<ipc::ActivatedSocket> activated);

// Server is the running broker: workers, watches of the tokens, admin socket and housekeeping.
class Server {
 public:
  // Start runs it, as whatever user the process is now. It returns when requests are answered; the
  // tokens' catalogues have been waited for, but no longer than the unavailable budget or 2 s.
  static Result<std::unique_ptr<Server>> Start(Prepared prepared);

  // The destructor stops it cleanly: requests in hand are answered, the audit log is synced.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Reload reads the configuration again, asks the tokens for their catalogues again, and puts the
  // result in force as a whole; gives its JSON. On failure everything stays as it was.
  Result<std::string> Reload();

  // Status is the JSON of AdminVerb::kStatus.
  std::string Status() const;

 private:
  explicit Server(Prepared prepared);

  keybroker::Status Open();
  keybroker::Status HaveWorkersFor(size_t tokens);
  void Publish();
  void LogWarnings() const;
  void SetTokens(const std::vector<std::string>& names,
                 std::vector<std::unique_ptr<TokenWatch>>& removed);
  Result<std::string> Answer(const wire::AdminRequest& request);
  Result<std::string> ReloadConfiguration();
  void RemoveTokens(std::vector<std::unique_ptr<TokenWatch>> removed);
  void Expire(const std::vector<Parked>& requests, std::string_view result);
  void AddSockets(std::vector<BoundEndpoint> sockets);
  void DropSockets(const Configuration& configuration);
  std::vector<std::string> RefreshTokens();
  void Replace(Configuration configuration, std::vector<std::unique_ptr<TokenWatch>>& removed,
               std::vector<std::shared_ptr<ListenerState>>& gone);
  void KeepHouse();

  const config::Settings settings_;
  const User broker_;
  const uint64_t started_ms_;
  std::unique_ptr<Binder> binder_;
  std::vector<BoundEndpoint> first_sockets_;
  UniqueFd admin_socket_;

  std::atomic<bool> stopping_{false};
  std::unique_ptr<EventSet> events_;
  std::unique_ptr<Auditor> auditor_;
  LogLimiter limiter_;
  SnapshotCell snapshots_;

  std::mutex reload_mutex_;                 // one reload at a time; taken before state_mutex_
  std::map<uint64_t, Endpoint> acceptors_;  // under reload_mutex_

  mutable std::mutex state_mutex_;  // what a snapshot is made of
  Configuration configuration_;
  std::map<std::string, std::shared_ptr<ListenerState>> listeners_;
  std::vector<std::unique_ptr<TokenWatch>> watches_;

  std::vector<std::thread> threads_;  // the workers; more of them under reload_mutex_
  std::unique_ptr<AdminServer> admin_;

  std::mutex house_mutex_;
  std::condition_variable house_wake_;
  std::thread house_;
};

}  // namespace keybroker::broker
