#include "broker/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <string>
#include <utility>

#include "broker/clock.h"

namespace keybroker::broker {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr size_t kPlacedAtOnce = 8;  // one, as a rule: see Worker::next_

}  // namespace

Worker::Worker(WorkerShare share)
    : share_(share),
      receive_(wire::kMaxMessage + 1),
      send_(wire::kMaxMessage),
      token_receive_(wire::kMaxMessage + 1),
      token_send_(wire::kMaxMessage),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  next_.reserve(kPlacedAtOnce);
}

void Worker::Run() {
  for (;;) {
    const EventSet::Event event = share_.events.Wait(next_);
    if (event.stop) return;
    if (event.connection != nullptr) {
      Serve(*event.connection);
    } else if (event.placed) {
      ServePlaced(*event.placed);
    } else {
      Accept(*event.acceptor);
      share_.events.Arm(*event.acceptor);
    }
  }
}

// TryHandle ends a connection whose request needed more memory than there is.
Worker::Turn Worker::TryHandle(Connection& connection, const ipc::Received& received) {
  try {
    return Handle(connection, received);
  } catch (const std::exception& problem) {
    return BadMessage(connection, received, problem.what());
  }
}

void Worker::Accept(Acceptor& acceptor) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(::accept4(acceptor.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE) Refuse(acceptor);
      if (errno != EINTR && errno != ECONNABORTED) return;
      continue;
    }
    ListenerState& listener = *acceptor.listener;
    if (listener.connections.load() >= share_.settings.max_connections) {
      listener.connections_refused.fetch_add(1);
      share_.limiter.Write(LogLevel::kWarning,
                           "listener " + listener.name + ": a connection over max_connections (" +
                               std::to_string(share_.settings.max_connections) + ") was closed");
      continue;
    }
    // Inherited from the listening socket on every kernel we know; said again, as all rests on it.
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) continue;
    auto connection = std::make_unique<Connection>();
    connection->fd = std::move(fd);
    connection->listener = acceptor.listener;
    share_.events.Adopt(std::move(connection));
  }
}

// Refuse accepts and closes one connection when there is no descriptor left to accept it with:
// otherwise it would be reported again and again.
void Worker::Refuse(Acceptor& acceptor) {
  acceptor.listener->connections_refused.fetch_add(1);
  share_.limiter.Write(LogLevel::kError, "listener " + acceptor.listener->name +
                                             ": no file descriptor left; raise LimitNOFILE");
  spare_.Reset();
  UniqueFd(::accept4(acceptor.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)).Reset();
  spare_.Reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  errno = EMFILE;
}

void Worker::Serve(Connection& connection) {
  if (connection.doomed.load(std::memory_order_acquire)) return End(connection, Turn::kClose);
  const ipc::Received received = ipc::Receive(connection.fd.get(), receive_);
  if (received.kind == ipc::Received::Kind::kMessage) {
    connection.listener->messages.fetch_add(1, std::memory_order_relaxed);
  }
  End(connection, TryHandle(connection, received));
}

void Worker::End(Connection& connection, Turn turn) {
  if (turn == Turn::kArm) share_.events.Arm(connection);
  if (turn == Turn::kClose) share_.events.Close(&connection);
}

// ServePlaced goes on with a request that was parked: it is judged again, by what is in force now.
void Worker::ServePlaced(const Placed& placed) {
  Connection& connection = *placed.request.connection;
  held_ = placed.gate;
  Turn turn = Turn::kClose;
  if (!connection.doomed.load(std::memory_order_acquire)) {
    turn = TryHandle(
        connection, {ipc::Received::Kind::kMessage, placed.request.message, placed.request.sender});
  }
  GiveBackHeld();
  End(connection, turn);
}

void Worker::GiveBackHeld() {
  if (held_ != nullptr) Leave(std::exchange(held_, nullptr));
}

void Worker::Leave(std::shared_ptr<TokenGate> gate) {
  auto parked = gate->admission().Leave();
  if (parked) next_.push_back({std::move(gate), *std::move(parked)});
}

bool Worker::Enter(const std::shared_ptr<TokenGate>& gate) {
  if (held_ == gate) return held_ = nullptr, true;
  GiveBackHeld();
  return gate->admission().Enter();
}

const View* Worker::ViewOf(const Connection& connection) {
  if (share_.snapshots.version() != seen_version_) Refresh();
  const auto found = snapshot_->views.find(connection.listener.get());
  return found == snapshot_->views.end() ? nullptr : found->second.get();
}

void Worker::Refresh() {
  seen_version_ = share_.snapshots.version();
  snapshot_ = share_.snapshots.Read();
  // Connections to tokens that are no longer configured end here.
  std::erase_if(links_, [this](const auto& link) {
    for (const TokenKeys& token : snapshot_->tokens) {
      if (token.gate.get() == link.first) return false;
    }
    return true;
  });
}

TokenLink& Worker::LinkTo(const std::shared_ptr<TokenGate>& gate) {
  const auto found = links_.find(gate.get());
  if (found != links_.end()) return found->second.second;
  return links_
      .emplace(std::piecewise_construct, std::forward_as_tuple(gate.get()),
               std::forward_as_tuple(gate, TokenLink(*gate, share_.stopping)))
      .first->second.second;
}

Worker::Turn Worker::Send(Connection& connection, size_t size) {
  const ssize_t sent = ::send(connection.fd.get(), send_.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size != 0 && sent == static_cast<ssize_t>(size)) return Turn::kArm;
  if (sent < 0 && errno == EAGAIN) {
    share_.limiter.Write(LogLevel::kWarning, "listener " + connection.listener->name +
                                                 ": a peer that does not read its replies was "
                                                 "disconnected");
  }
  return Turn::kClose;
}

Worker::Turn Worker::Fail(Connection& connection, const wire::Header& header,
                          wire::Failure failure) {
  wire::FrameWriter frame(send_, {wire::MessageType::kFailure, header.version, header.request_id});
  wire::Encode(failure, frame.body());
  return Send(connection, frame.Finish());
}

Worker::Turn Worker::BadMessage(Connection& connection, const ipc::Received& received,
                                const char* what) {
  connection.listener->bad_messages.fetch_add(1);
  const std::string who = received.sender ? " from uid " + std::to_string(received.sender->uid) +
                                                ", pid " + std::to_string(received.sender->pid)
                                          : "";
  share_.limiter.Write(LogLevel::kWarning, "listener " + connection.listener->name + ": " + what +
                                               who + "; the connection was closed");
  return Turn::kClose;
}

}  // namespace keybroker::broker
