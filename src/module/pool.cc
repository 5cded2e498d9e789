#include "module/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "module/limits.h"

namespace keybroker::module {

Connection* Pool::TakeIdle() {
  for (Connection* connection = first_; connection != nullptr; connection = connection->next) {
    if (connection->use != Connection::Use::kIdle) continue;
    --idle_;
    if (IsSameSocket(connection->fd, connection->cookie)) {
      connection->use = Connection::Use::kBusy;
      return connection;
    }
    connection->fd = -1;
    connection->use = Connection::Use::kNone;
  }
  return nullptr;
}

Connection* Pool::NewBusy() {
  Connection* connection = first_;
  while (connection != nullptr && connection->use != Connection::Use::kNone) {
    connection = connection->next;
  }
  if (connection == nullptr) {
    void* memory = malloc(sizeof(Connection));
    if (memory == nullptr) return nullptr;
    connection = new (memory) Connection();
    connection->next = first_;
    std::atomic_signal_fence(std::memory_order_release);
    first_ = connection;
  }
  connection->use = Connection::Use::kBusy;
  connection->reused = false;
  connection->version = 0;
  connection->timeout_ms = 0;
  return connection;
}

bool Pool::Give(Connection& connection, int fd) {
  connection.cookie = SocketCookie(fd);
  if (connection.cookie == 0) return false;
  std::atomic_ref(connection.fd).store(fd, std::memory_order_release);
  return true;
}

void Pool::Return(Connection& connection) {
  if (idle_ >= kMaxIdleConnections) return Drop(connection);
  connection.reused = true;
  connection.use = Connection::Use::kIdle;
  ++idle_;
}

void Pool::Drop(Connection& connection) {
  Close(connection);
  connection.use = Connection::Use::kNone;
}

void Pool::DropIdle() {
  for (Connection* connection = first_; connection != nullptr; connection = connection->next) {
    if (connection->use == Connection::Use::kIdle) Drop(*connection);
  }
  idle_ = 0;
}

bool Pool::HasLiveIdle() {
  for (Connection* connection = first_; connection != nullptr; connection = connection->next) {
    if (connection->use != Connection::Use::kIdle) continue;
    char byte;
    if (IsSameSocket(connection->fd, connection->cookie) &&
        recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) {
      return true;
    }
    --idle_;
    Drop(*connection);
  }
  return false;
}

void Pool::Interrupt() {
  for (Connection* connection = first_; connection != nullptr; connection = connection->next) {
    if (connection->use != Connection::Use::kBusy || connection->fd < 0) continue;
    if (!IsSameSocket(connection->fd, connection->cookie)) continue;
    shutdown(connection->fd, SHUT_RDWR);
  }
}

void Pool::DropInherited() {
  for (Connection* connection = first_; connection != nullptr; connection = connection->next) {
    Drop(*connection);
  }
  idle_ = 0;
}

// Whose number it is by now is looked at before every close: see IsSameSocket.
void Pool::Close(Connection& connection) {
  const int fd = connection.fd;
  connection.fd = -1;
  if (fd >= 0 && IsSameSocket(fd, connection.cookie)) close(fd);
}

}  // namespace keybroker::module
