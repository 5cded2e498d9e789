#include "tokenhost/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

namespace keybroker::tokenhost {
namespace {

// A peer that does not read its answers is let go.
constexpr timeval kSendTimeout{5, 0};
constexpr int kPauseMs = 100;

Result<ucred> PeerOf(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) return peer;
  return Fail(SystemError("SO_PEERCRED", errno));
}

bool Prepare(int fd) {
  return ipc::WantCredentials(fd) &&
         ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof kSendTimeout) == 0;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Make(const Services& services, int listener) {
  UniqueFd finished(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!finished) return Fail(SystemError("eventfd", errno));
  return std::unique_ptr<Server>(new Server(services, listener, std::move(finished)));
}

Server::~Server() { Stop(); }

bool Server::WaitFor(int other) {
  pollfd fds[] = {{listener_, POLLIN, 0}, {finished_.get(), POLLIN, 0}, {other, POLLIN, 0}};
  if (::poll(fds, 3, -1) < 0) return false;  // EINTR: the caller asks again
  if (fds[1].revents != 0) Reap();
  if (fds[0].revents != 0) AcceptAll();
  return fds[2].revents != 0;
}

void Server::AcceptAll() {
  for (;;) {
    UniqueFd fd(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!fd) {
      // Out of descriptors the listener stays readable: do not spin.
      if (errno != EAGAIN) ::poll(nullptr, 0, kPauseMs);
      return;
    }
    Admit(std::move(fd));
  }
}

void Server::Admit(UniqueFd fd) {
  const auto peer = PeerOf(fd.get());
  if (!peer || !services_.rights.MayConnect(peer->uid)) {
    services_.lines.Log(LogLevel::kWarning,
                        "refused a connection of uid " +
                            (peer ? std::to_string(peer->uid) : std::string("unknown")));
    return;
  }
  if (peers_.size() >= kMaxConnections || !Prepare(fd.get())) {
    services_.lines.Log(LogLevel::kWarning, "refused a connection: there are " +
                                                std::to_string(peers_.size()) + " already");
    return;
  }
  Peer& added = peers_.emplace_back();
  added.fd = std::move(fd);
  try {
    added.thread = std::thread([this, &added] { RunPeer(added); });
  } catch (const std::system_error& error) {
    services_.lines.Log(LogLevel::kError, std::string("cannot start a thread: ") + error.what());
    peers_.pop_back();
  }
}

void Server::RunPeer(Peer& peer) noexcept {
  try {
    Connection(services_, peer.fd.get()).Serve();
  } catch (const std::exception& error) {  // bad_alloc: this connection's end, nobody else's
    services_.lines.Log(LogLevel::kError, std::string("a connection failed: ") + error.what());
  }
  ::shutdown(peer.fd.get(), SHUT_RDWR);
  peer.done = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(finished_.get(), &one, sizeof one);
}

void Server::Reap() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(finished_.get(), &count, sizeof count);
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    if (peer->done) {
      peer->thread.join();
      peer = peers_.erase(peer);
    } else {
      ++peer;
    }
  }
}

void Server::Stop() {
  for (Peer& peer : peers_) ::shutdown(peer.fd.get(), SHUT_RD);
  for (Peer& peer : peers_) peer.thread.join();
  peers_.clear();
}

}  // namespace keybroker::tokenhost
