#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <thread>

#include "keybroker/base/unique_fd.h"
#include "tokenhost/connection.h"

namespace keybroker::tokenhost {

// Server accepts connections and gives each a thread of its own: the peers are the broker, with a
// connection for each of its workers, and now and then the operator.
class Server {
 public:
  static constexpr size_t kMaxConnections = 128;  // below the watchdog's lanes

  // listener is a non-blocking listening socket, which the caller keeps.
  static Result<std::unique_ptr<Server>> Make(const Services& services, int listener);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Readable waits until the listener, a finished connection or other is readable, serves the first
  // two, and tells whether other is.
  bool WaitFor(int other);

  // Stop has every connection finish the message it is at, and waits for them.
  void Stop();

 private:
  struct Peer {
    UniqueFd fd;
    std::atomic<bool> done{false};
    std::thread thread;
  };

  Server(const Services& services, int listener, UniqueFd finished)
      : services_(services), listener_(listener), finished_(std::move(finished)) {}

  void AcceptAll();
  void Admit(UniqueFd fd);
  void Reap();
  void RunPeer(Peer& peer) noexcept;

  const Services services_;
  const int listener_;
  UniqueFd finished_;  // eventfd: a peer's thread is done
  std::list<Peer> peers_;
};

}  // namespace keybroker::tokenhost
