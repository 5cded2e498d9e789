#include "broker/event_set.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <new>
#include <utility>

namespace keybroker::broker {
namespace {

// An event's word is a connection's address (even), or an acceptor's number doubled and one; the
// number 0 is the stop. Acceptors go by number because a reload may free one while a thread still
// holds its event; a connection is freed only by the thread that holds it.
uint64_t WordOf(const Connection& connection) { return reinterpret_cast<uintptr_t>(&connection); }
uint64_t WordOf(uint64_t acceptor) { return acceptor * 2 + 1; }

constexpr size_t kCollected = 64;  // events that one system call gives when all workers are busy
constexpr uint32_t kOnce = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;

bool Control(int epoll, int operation, int fd, uint32_t events, uint64_t word) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = word;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

Result<std::unique_ptr<EventSet>> EventSet::Make() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !stop || !Control(epoll.get(), EPOLL_CTL_ADD, stop.get(), EPOLLIN, WordOf(0))) {
    return Fail(SystemError("cannot make the epoll set", errno));
  }
  return std::unique_ptr<EventSet>(new EventSet(std::move(epoll), std::move(stop)));
}

EventSet::~EventSet() {
  connections_.With([](auto& all) {
    for (Connection* connection : all) delete connection;
  });
}

const void* LineOf(const EventSet::Event& event) {
  if (event.acceptor != nullptr) return event.acceptor->listener.get();
  return event.placed ? LineOf(event.placed->request) : event.connection->listener.get();
}

// EventOf gives nothing for an acceptor that was removed meanwhile.
std::optional<EventSet::Event> EventSet::EventOf(uint64_t word) {
  if (word == WordOf(0)) return Event{nullptr, nullptr, std::nullopt, true};
  if (word % 2 == 0) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it was a pointer when WordOf gave it to epoll
    auto* connection = reinterpret_cast<Connection*>(word);
    { std::lock_guard turn(connection->turn); }
    return Event{connection, nullptr, std::nullopt, false};
  }
  auto acceptor = acceptors_.With([&](auto& all) {
    const auto found = all.find(word / 2);
    return found == all.end() ? nullptr : found->second;
  });
  if (acceptor == nullptr) return std::nullopt;
  return Event{nullptr, std::move(acceptor), std::nullopt, false};
}

// GiveBack lets epoll report an event again.
void EventSet::GiveBack(const Event& event) {
  if (event.connection != nullptr) return Arm(*event.connection);
  Arm(*event.acceptor);
}

// Collect puts all that epoll has into ready_; false at the stop.
bool EventSet::Collect() {
  std::array<epoll_event, kCollected> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    if (count < 0 && errno == EINTR) continue;
    for (int i = 0; i < count; ++i) {
      auto event = EventOf(events[static_cast<size_t>(i)].data.u64);
      if (!event) continue;
      if (event->stop) return false;
      try {
        ready_.Push(*std::move(event));
      } catch (const std::bad_alloc&) {
        GiveBack(*event);
      }
    }
    if (count < static_cast<int>(events.size())) return count >= 0;
  }
}

// NextTurn is the next event of ready_ with placed among them; nothing when there is none.
std::optional<EventSet::Event> EventSet::NextTurn(std::vector<Placed>& placed) {
  for (; !placed.empty(); placed.pop_back()) {
    Event event{nullptr, nullptr, std::move(placed.back()), false};
    try {
      if (!ready_.empty() || placed.size() > 1) {
        ready_.PushFront(std::move(event));
        continue;
      }
    } catch (const std::bad_alloc&) {
      // Out of its turn, then, rather than not at all.
    }
    placed.pop_back();
    return event;
  }
  return ready_.Pop();
}

EventSet::Event EventSet::Wait(std::vector<Placed>& placed) {
  std::optional<Event> next;
  {
    std::lock_guard lock(ready_mutex_);
    if (idle_ == 0) {
      if (!Collect()) return {nullptr, nullptr, std::nullopt, true};
      next = NextTurn(placed);
    } else if (!placed.empty()) {
      next = Event{nullptr, nullptr, std::move(placed.back()), false};
      placed.pop_back();
    }
    if (next) return *std::move(next);
    ++idle_;
  }
  while (!next) {
    epoll_event event{};
    const int count = ::epoll_wait(epoll_.get(), &event, 1, -1);
    if (count < 0 && errno != EINTR) return {nullptr, nullptr, std::nullopt, true};
    if (count == 1) next = EventOf(event.data.u64);
  }
  std::lock_guard lock(ready_mutex_);
  --idle_;
  return *std::move(next);
}

void EventSet::Stop() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
}

uint64_t EventSet::AddAcceptor(std::shared_ptr<Acceptor> acceptor) {
  acceptor->id = next_id_.fetch_add(1);
  const int fd = acceptor->fd.get();
  const uint64_t id = acceptor->id;
  acceptors_.With([&](auto& all) { all.emplace(id, std::move(acceptor)); });
  Control(epoll_.get(), EPOLL_CTL_ADD, fd, kOnce, WordOf(id));
  return id;
}

void EventSet::RemoveAcceptor(uint64_t id) {
  acceptors_.With([&](auto& all) {
    const auto found = all.find(id);
    if (found == all.end()) return;
    Control(epoll_.get(), EPOLL_CTL_DEL, found->second->fd.get(), 0, 0);
    // A thread may be accepting on it at this moment: then nobody connects any more, and the last
    // holder closes it.
    ::shutdown(found->second->fd.get(), SHUT_RDWR);
    all.erase(found);
  });
}

void EventSet::Arm(const Acceptor& acceptor) {
  Control(epoll_.get(), EPOLL_CTL_MOD, acceptor.fd.get(), kOnce, WordOf(acceptor.id));
}

bool EventSet::Adopt(std::unique_ptr<Connection> connection) {
  Connection* raw = connection.get();
  connections_.With([&](auto& all) { all.insert(raw); });
  raw->listener->connections.fetch_add(1);
  (void)connection.release();
  if (Control(epoll_.get(), EPOLL_CTL_ADD, raw->fd.get(), kOnce, WordOf(*raw))) return true;
  Close(raw);
  return false;
}

// The event may be with another thread before epoll_ctl has returned here, and epoll is no
// synchronisation that the C++ memory model knows of: the connection's mutex is, and Wait takes it.
// It is held over epoll_ctl, which still looks at the descriptor when the event may be out already.
void EventSet::Arm(Connection& connection) {
  bool armed = false;
  {
    std::lock_guard turn(connection.turn);
    armed = !connection.doomed.load(std::memory_order_acquire) &&
            Control(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), kOnce, WordOf(connection));
  }
  // Armed, it is another's: it may be gone by now.
  if (!armed) Close(&connection);
}

void EventSet::Close(Connection* connection) {
  connections_.With([&](auto& all) { all.erase(connection); });
  connection->listener->connections.fetch_sub(1);
  delete connection;
}

void EventSet::Doom(const ListenerState& listener) {
  connections_.With([&](auto& all) {
    for (Connection* connection : all) {
      if (connection->listener.get() != &listener) continue;
      connection->doomed.store(true, std::memory_order_release);
      ::shutdown(connection->fd.get(), SHUT_RDWR);
    }
  });
}

}  // namespace keybroker::broker
