#include "broker/server.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "broker/clock.h"
#include "broker/expire.h"
#include "broker/places.h"
#include "broker/status.h"
#include "keybroker/base/log.h"
#include "keybroker/ipc/listening_socket.h"

namespace keybroker::broker {

Result<std::unique_ptr<Server>> Server::Start(Prepared prepared) {
  std::unique_ptr<Server> server(new Server(std::move(prepared)));
  KB_TRY(server->Open());
  return server;
}

Server::Server(Prepared prepared)
    : settings_(std::move(prepared.settings)),
      broker_(std::move(prepared.broker)),
      started_ms_(MonotonicMs()),
      binder_(std::move(prepared.binder)),
      first_sockets_(std::move(prepared.sockets)),
      admin_socket_(std::move(prepared.admin)),
      configuration_(std::move(prepared.configuration)) {}

keybroker::Status Server::Open() {
  KB_ASSIGN(events_, EventSet::Make());
  KB_ASSIGN(auditor_, Auditor::Open(settings_));
  auditor_->Note("start", "");
  {
    std::vector<std::unique_ptr<TokenWatch>> removed;
    std::vector<std::shared_ptr<ListenerState>> gone;
    Replace(configuration_, removed, gone);
  }
  // A listener that starts together with us should find its keys. Until then its module is refused
  // and tries again: in a backlog it would wait for an answer, once for each call.
  constexpr uint64_t kLongestWaitMs = 2000;
  const auto budget = static_cast<uint64_t>(settings_.unavailable_budget.count());
  const uint64_t until = MonotonicMs() + std::min(budget, kLongestWaitMs);
  for (const auto& watch : watches_) watch->AwaitRefresh(1, until);
  Publish();
  KB_TRY(HaveWorkersFor(configuration_.tokens.size()));
  for (const BoundEndpoint& socket : first_sockets_) KB_TRY(ipc::Listen(socket.fd.get()));
  AddSockets(std::move(first_sockets_));
  KB_ASSIGN(admin_, AdminServer::Start(std::move(admin_socket_), settings_,
                                       [this](const auto& request) { return Answer(request); }));
  house_ = std::thread([this] { KeepHouse(); });
  LogWarnings();
  return {};
}

// HaveWorkersFor starts what is missing. Those of a token that went stay: idle, they cost nothing.
keybroker::Status Server::HaveWorkersFor(size_t tokens) {
  const unsigned wanted = WorkersFor(settings_.workers, tokens);
  try {
    threads_.reserve(wanted);
    while (threads_.size() < wanted) {
      auto worker = std::make_unique<Worker>(
          WorkerShare{settings_, *events_, snapshots_, *auditor_, limiter_, stopping_});
      threads_.emplace_back([own = std::move(worker)] { own->Run(); });
    }
  } catch (const std::exception& problem) {
    return Fail(Unavailable("cannot start the " + std::to_string(wanted) +
                            " threads that the tokens need: " + problem.what()));
  }
  return {};
}

Server::~Server() {
  stopping_.store(true);
  admin_.reset();
  if (events_ != nullptr) events_->Stop();
  for (std::thread& thread : threads_) thread.join();
  { std::lock_guard lock(house_mutex_); }
  house_wake_.notify_all();
  if (house_.joinable()) house_.join();
  watches_.clear();
  if (auditor_ != nullptr) {
    auditor_->Note("stop", "");
    auditor_->Tick();
  }
}

void Server::Publish() {
  std::lock_guard lock(state_mutex_);
  std::vector<std::shared_ptr<ListenerState>> listeners;
  for (const auto& setup : configuration_.listeners) {
    listeners.push_back(listeners_.at(setup->policy.name));
  }
  std::vector<TokenKeys> tokens;
  for (const auto& watch : watches_) {
    tokens.push_back({watch->shared_gate(), watch->gate().catalogue()});
  }
  snapshots_.Publish(MakeSnapshot(configuration_, std::move(listeners), std::move(tokens)));
}

void Server::LogWarnings() const {
  const auto snapshot = snapshots_.Read();  // held while its warnings are walked
  for (const std::string& warning : snapshot->warnings) Log(LogLevel::kWarning, warning);
}

// Replace puts configuration in the place of the old one, without publishing it yet.
void Server::Replace(Configuration configuration, std::vector<std::unique_ptr<TokenWatch>>& removed,
                     std::vector<std::shared_ptr<ListenerState>>& gone) {
  std::lock_guard lock(state_mutex_);
  std::map<std::string, std::shared_ptr<ListenerState>> listeners;
  for (const auto& setup : configuration.listeners) {
    auto& state = listeners_[setup->policy.name];
    if (state == nullptr) state = std::make_shared<ListenerState>(setup->policy.name);
    listeners[setup->policy.name] = state;
  }
  for (const auto& [name, state] : listeners_) {
    if (!listeners.contains(name)) gone.push_back(state);
  }
  listeners_ = std::move(listeners);
  SetTokens(configuration.tokens, removed);
  configuration_ = std::move(configuration);
}

void Server::SetTokens(const std::vector<std::string>& names,
                       std::vector<std::unique_ptr<TokenWatch>>& removed) {
  std::vector<std::unique_ptr<TokenWatch>> watches;
  for (const std::string& name : names) {
    const auto old = std::find_if(watches_.begin(), watches_.end(), [&](const auto& watch) {
      return watch != nullptr && watch->gate().name() == name;
    });
    if (old != watches_.end()) {
      watches.push_back(std::move(*old));
      continue;
    }
    auto watch = TokenWatch::Start(
        std::make_shared<TokenGate>(name, settings_.TokenSocket(name),
                                    static_cast<uint64_t>(settings_.unavailable_budget.count())),
        {[this] { Publish(); },
         [this](TokenGate& gate) {
           Expire(gate.admission().TakeExpired(MonotonicMs()), "expired");
         }});
    if (watch) {
      watches.push_back(std::move(*watch));
    } else {
      LogError("token " + name, watch.error());
    }
  }
  for (auto& watch : watches_) {
    if (watch != nullptr) removed.push_back(std::move(watch));
  }
  watches_ = std::move(watches);
  const unsigned places = PlacesAtEach(settings_.workers, watches_.size());
  for (const auto& watch : watches_) watch->gate().admission().SetLimit(places);
}

void Server::Expire(const std::vector<Parked>& requests, std::string_view result) {
  if (requests.empty()) return;
  const auto snapshot = snapshots_.Read();
  for (const Parked& parked : requests) {
    broker::Expire(parked, result, *snapshot, *auditor_, *events_);
  }
}

void Server::AddSockets(std::vector<BoundEndpoint> sockets) {
  for (BoundEndpoint& socket : sockets) {
    std::shared_ptr<ListenerState> state;
    {
      std::lock_guard lock(state_mutex_);
      const auto found = listeners_.find(socket.endpoint.listener);
      if (found != listeners_.end()) state = found->second;
    }
    if (state == nullptr) {
      Log(LogLevel::kWarning, "a socket came for a listener \"" + socket.endpoint.listener +
                                  "\" that has no file in listeners_dir; it was closed");
      continue;
    }
    auto acceptor = std::make_shared<Acceptor>();
    acceptor->fd = std::move(socket.fd);
    acceptor->listener = std::move(state);
    acceptor->endpoint = socket.endpoint;
    acceptors_[events_->AddAcceptor(std::move(acceptor))] = socket.endpoint;
  }
}

void Server::KeepHouse() {
  std::unique_lock lock(house_mutex_);
  while (!stopping_.load()) {
    house_wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_.load(); });
    auditor_->Tick();
    limiter_.Tick();
    std::lock_guard state(state_mutex_);
    for (const auto& watch : watches_) watch->gate().lines().Tick();
  }
}

std::string Server::Status() const {
  return StatusText(*snapshots_.Read(), auditor_->state(), started_ms_);
}

Result<std::string> Server::Answer(const wire::AdminRequest& request) {
  switch (request.verb) {
    case wire::AdminVerb::kStatus:
      return Status();
    case wire::AdminVerb::kReload:
      return Reload();
    case wire::AdminVerb::kWhy:
      return WhyText(*snapshots_.Read(), request);
  }
  return Fail(Malformed("unknown request"));
}

}  // namespace keybroker::broker
