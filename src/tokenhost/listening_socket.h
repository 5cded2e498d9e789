#pragma once

#include <filesystem>
#include <optional>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::tokenhost {

// ListeningSocket is the SOCK_SEQPACKET socket a tokenhost serves. It holds a lock on SOCKET.lock
// as long as it lives, so that a socket found under the lock is stale and may be replaced.
class ListeningSocket {
 public:
  // Bind makes the socket, mode 0660; its group is its directory's, which is setgid. Conflict:
  // another tokenhost holds the lock. Malformed: the path is too long for a socket (107 bytes).
  static Result<ListeningSocket> Bind(const std::filesystem::path& path);

  // Inherited takes the socket that a service manager passed (sd_listen_fds(3)), and clears the
  // variables that announced it; nothing when there is none. Malformed: it is of another kind.
  static Result<std::optional<ListeningSocket>> Inherited();

  ListeningSocket(ListeningSocket&&) = default;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return fd_.get(); }

 private:
  ListeningSocket(UniqueFd fd, UniqueFd lock, std::filesystem::path path)
      : fd_(std::move(fd)), lock_(std::move(lock)), path_(std::move(path)) {}

  UniqueFd fd_;
  UniqueFd lock_;
  std::filesystem::path path_;  // unlinked at the end; empty: a service manager owns it
};

}  // namespace keybroker::tokenhost
