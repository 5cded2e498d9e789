#include "broker/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <string>
#include <utility>

#include "broker/clock.h"

namespace keybroker::broker {
namespace {

constexpr int kAcceptsPerTurn = 64;

}  // namespace

Worker::Worker(WorkerShare share)
    : share_(share),
      receive_(wire::kMaxMessage + 1),
      send_(wire::kMaxMessage),
      token_receive_(wire::kMaxMessage + 1),
      token_send_(wire::kMaxMessage),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

void Worker::Run() {
  for (;;) {
    const EventSet::Event event = share_.events.Wait();
    if (event.stop) return;
    if (event.connection != nullptr) {
      Serve(*event.connection);
      ServeParked();
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
  End(connection, TryHandle(connection, ipc::Receive(connection.fd.get(), receive_)));
}

void Worker::End(Connection& connection, Turn turn) {
  if (turn == Turn::kArm) share_.events.Arm(connection);
  if (turn == Turn::kClose) share_.events.Close(&connection);
}

// ServeParked goes on with the requests that waited for the place this worker has given back.
void Worker::ServeParked() {
  for (auto gate = std::exchange(served_, nullptr); gate != nullptr;
       gate = std::exchange(served_, nullptr)) {
    auto parked = gate->admission().TakeOne();
    if (!parked) return;
    if (parked->connection->doomed.load(std::memory_order_acquire)) {
      End(*parked->connection, Turn::kClose);
      served_ = gate;
      continue;
    }
    const ipc::Received again{ipc::Received::Kind::kMessage, parked->message, parked->sender};
    const Turn turn = TryHandle(*parked->connection, again);
    End(*parked->connection, turn);
    // Whatever became of it, there may be room for the next.
    if (turn != Turn::kParked) served_ = gate;
  }
}

void Worker::Expire(const Parked& parked, EventSet& events) {
  std::array<uint8_t, 64> buffer;
  wire::FrameWriter frame(
      buffer, {wire::MessageType::kFailure, parked.connection->version, parked.request_id});
  wire::Encode(wire::Failure{ErrorCode::kUnavailable, 0}, frame.body());
  const size_t size = frame.Finish();
  const ssize_t sent =
      ::send(parked.connection->fd.get(), buffer.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
  parked.connection->listener->failed.fetch_add(1);
  if (sent == static_cast<ssize_t>(size)) {
    events.Arm(*parked.connection);
  } else {
    events.Close(parked.connection);
  }
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
