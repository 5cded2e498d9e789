#pragma once

#include <functional>
#include <string>
#include <thread>

#include "keybroker/base/unique_fd.h"

namespace keybroker::cli::test {

// Peer is a server's end of one connection.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  // Send gives false when the client is gone; Line reads one line without its end, empty then too.
  bool Send(const std::string& bytes) const;
  std::string Line() const;

  // AwaitEnd returns when the client has gone.
  void AwaitEnd() const;

  // Relay carries bytes to and from a port of this host until one side ends.
  void Relay(int port) const;

 private:
  int fd_;
};

// TcpServer serves one connection after the other on a port of 127.0.0.1.
class TcpServer {
 public:
  explicit TcpServer(std::function<void(const Peer&)> serve);
  ~TcpServer();
  TcpServer(const TcpServer&) = delete;
  TcpServer& operator=(const TcpServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int port_ = 0;  // before listening_, whose making sets it
  UniqueFd listening_;
  std::thread thread_;
};

// ClosedPort is the address of a port at which nothing listens.
std::string ClosedPort();

}  // namespace keybroker::cli::test
