#include <algorithm>
#include <utility>

#include "broker/clock.h"
#include "broker/server.h"
#include "broker/status.h"
#include "keybroker/base/log.h"
#include "keybroker/ipc/notify.h"

namespace keybroker::broker {
namespace {

constexpr uint64_t kCatalogueWaitMs = 3000;

bool Wants(const Configuration& configuration, const Endpoint& endpoint) {
  for (const auto& listener : configuration.listeners) {
    if (listener->policy.name != endpoint.listener) continue;
    // A socket that systemd made has no path here: it is wanted as long as its listener is.
    if (endpoint.path.empty()) return true;
    const auto& wanted = listener->endpoints;
    return std::find(wanted.begin(), wanted.end(), endpoint) != wanted.end();
  }
  return false;
}

}  // namespace

Result<std::string> Server::Reload() {
  std::lock_guard lock(reload_mutex_);
  ipc::NotifyReloading();
  auto done = ReloadConfiguration();
  ipc::Notify("READY=1");
  if (done) {
    Log(LogLevel::kNotice, "the configuration was read again and is in force");
    auditor_->Note("reload", "");
    LogWarnings();
  } else {
    LogError("the configuration was not taken; the one before stays in force", done.error());
    done.error().detail += "\nthe configuration that the broker had stays in force";
  }
  return done;
}

Result<std::string> Server::ReloadConfiguration() {
  KB_ASSIGN(Configuration configuration, LoadConfiguration(settings_, broker_));
  KB_TRY(HaveWorkersFor(configuration.tokens.size()));
  KB_ASSIGN(std::vector<BoundEndpoint> sockets, binder_->Bind(configuration));
  // Nothing fails from here on.
  std::vector<std::unique_ptr<TokenWatch>> removed;
  std::vector<std::shared_ptr<ListenerState>> gone;
  Replace(configuration, removed, gone);
  Publish();
  DropSockets(configuration);
  AddSockets(std::move(sockets));
  for (const auto& listener : gone) events_->Doom(*listener);
  RemoveTokens(std::move(removed));
  const std::vector<std::string> away = RefreshTokens();
  return ReloadText(*snapshots_.Read(), away);
}

// RemoveTokens ends the watches, and the requests that nobody would watch over any more; those in
// flight end by themselves. Not under a lock: it waits for threads, which may be publishing.
void Server::RemoveTokens(std::vector<std::unique_ptr<TokenWatch>> removed) {
  for (auto& watch : removed) {
    const std::shared_ptr<TokenGate> gate = watch->shared_gate();
    watch.reset();
    Expire(gate->admission().TakeAll(), "token-removed");
  }
}

void Server::DropSockets(const Configuration& configuration) {
  std::erase_if(acceptors_, [&](const auto& acceptor) {
    if (Wants(configuration, acceptor.second)) return false;
    events_->RemoveAcceptor(acceptor.first);
    return true;
  });
}

// RefreshTokens asks every token for its keys and gives the names of those that are away.
std::vector<std::string> Server::RefreshTokens() {
  // Only Reload changes the watches, and there is one reload at a time.
  std::vector<std::pair<TokenWatch*, uint64_t>> tickets;
  for (const auto& watch : watches_) tickets.emplace_back(watch.get(), watch->AskForRefresh());
  const uint64_t until = MonotonicMs() + kCatalogueWaitMs;
  std::vector<std::string> away;
  for (const auto& [watch, ticket] : tickets) {
    if (!watch->AwaitRefresh(ticket, until) || watch->gate().away()) {
      away.push_back(watch->gate().name());
    }
  }
  return away;
}

}  // namespace keybroker::broker
