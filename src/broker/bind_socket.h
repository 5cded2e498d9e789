#pragma once

#include <sys/un.h>

#include <filesystem>

#include "broker/endpoint.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::broker {

// UnixAddress is path as a sockaddr. Malformed when it does not fit sun_path (107 bytes).
Result<sockaddr_un> UnixAddress(const std::filesystem::path& path);

// PreparedSocket listens already, but under a name that nobody knows yet.
struct PreparedSocket {
  UniqueFd fd;
  std::filesystem::path beside;
};

// Replace says what a live socket at the endpoint's path means: somebody else's, or our own that is
// to be replaced.
enum class Replace { kOnlyStale, kOurOwn };

// PrepareSocket makes endpoint's socket beside its place, in a directory that is or becomes safe
// (MakeSafeDirectory): SOCK_SEQPACKET, non-blocking, owner and mode set, listening, with
// SO_PASSCRED, which each accepted connection inherits. Conflict when a live process listens at the
// path; Denied when something that is not a socket is there.
Result<PreparedSocket> PrepareSocket(const Endpoint& endpoint, uid_t trusted,
                                     Replace replace = Replace::kOnlyStale);

// PublishSocket gives it its name in one rename: a stale socket is replaced without a moment in
// which there is none.
Status PublishSocket(const PreparedSocket& socket, const Endpoint& endpoint);

// BindSocket does both.
Result<UniqueFd> BindSocket(const Endpoint& endpoint, uid_t trusted);

// PrepareListening sets what BindSocket sets on a socket that somebody else made (socket
// activation). Malformed when it is not a listening AF_UNIX SOCK_SEQPACKET socket.
Status PrepareListening(int fd);

}  // namespace keybroker::broker
