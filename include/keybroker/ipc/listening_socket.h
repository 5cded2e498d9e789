#pragma once

#include <sys/types.h>

#include <filesystem>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::ipc {

// kBacklog is what listen(2) is asked for; the kernel cuts it down to net.core.somaxconn.
inline constexpr int kBacklog = 4096;

// Listens is from when on a socket takes connections. kLater: from Listen on; until then who
// connects is refused, as where nobody listens, instead of waiting for an answer.
enum class Listens { kNow, kLater };

// SocketFile is where a listening socket appears and who may connect to it. -1 leaves the owner or
// group that the kernel gives it: the process's, or in a setgid directory the directory's group.
struct SocketFile {
  std::filesystem::path path;
  uid_t owner = static_cast<uid_t>(-1);
  gid_t group = static_cast<gid_t>(-1);
  mode_t mode = 0660;
  int backlog = kBacklog;
  Listens listens = Listens::kNow;
};

// PreparedSocket is ready, but under a name that nobody knows yet.
struct PreparedSocket {
  UniqueFd fd;
  std::filesystem::path beside;
  std::filesystem::path path;  // where PublishSocket puts it
};

// Replace says what is at the path already: perhaps somebody else's live socket, or certainly our
// own, which is to be replaced.
enum class Replace { kOnlyStale, kOurOwn };

// PrepareSocket makes file's socket beside its place, in a directory that the caller has made safe
// (directory.h): SOCK_SEQPACKET, non-blocking, owner and mode set, listening if so wished, with
// SO_PASSCRED.
// kOnlyStale: Conflict when a live process listens at the path, Denied when something that is not a
// socket is there.
Result<PreparedSocket> PrepareSocket(const SocketFile& file, Replace replace);

// PublishSocket gives it its name in one rename: a stale socket is replaced without a moment in
// which there is none.
Status PublishSocket(const PreparedSocket& socket);

// BindSocket does both.
Result<UniqueFd> BindSocket(const SocketFile& file, Replace replace);

// Listen makes a bound socket listen, one that listens already too.
Status Listen(int fd, int backlog = kBacklog);

// PrepareListening sets close-on-exec, O_NONBLOCK and SO_PASSCRED on a socket. Malformed when it is
// not an AF_UNIX SOCK_SEQPACKET socket.
Status PrepareListening(int fd);

}  // namespace keybroker::ipc
