#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "keybroker/base/unique_fd.h"

namespace keybroker::test {

// ListenAt is a listening SOCK_SEQPACKET socket at that path, in the place of whatever was there.
// What is accepted from it receives credentials (SO_PASSCRED).
UniqueFd ListenAt(const std::filesystem::path& socket, int backlog = 256);

// SeqpacketServer gives each connection to its socket a thread. Kill and Start are what kill -9 and
// a supervisor do to a server. Start and Kill are for one thread.
class SeqpacketServer {
 public:
  // Serve is called in the connection's thread; the connection ends when it returns.
  using Serve = std::function<void(int fd)>;
  SeqpacketServer(std::filesystem::path socket, Serve serve)
      : socket_(std::move(socket)), serve_(std::move(serve)) {}
  ~SeqpacketServer() { Kill(); }
  SeqpacketServer(const SeqpacketServer&) = delete;
  SeqpacketServer& operator=(const SeqpacketServer&) = delete;

  void Start() { Start(ListenAt(socket_)); }
  void Start(UniqueFd listening);

  const std::filesystem::path& socket() const { return socket_; }

  // Kill ends the listening socket, whose name stays, and every connection.
  void Kill();

 private:
  void Accept(int listening);

  const std::filesystem::path socket_;
  const Serve serve_;

  std::mutex mutex_;
  bool killed_ = true;
  UniqueFd listening_;
  std::vector<std::pair<int, std::thread>> connections_;
  std::thread acceptor_;
};

}  // namespace keybroker::test
