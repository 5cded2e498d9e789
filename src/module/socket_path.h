#pragma once

#include <cstddef>
#include <string_view>

namespace keybroker::module {

// kMaxSocketPath is what sockaddr_un::sun_path holds beside the final NUL.
inline constexpr size_t kMaxSocketPath = 107;

// kDefaultSocketPath is used when neither the host nor the environment names a socket.
inline constexpr std::string_view kDefaultSocketPath = "/run/keybroker/default/socket";

// IsSocketPath: absolute, at most kMaxSocketPath bytes, no NUL in it.
bool IsSocketPath(std::string_view path);

// SocketPath remembers where the broker is, so that a listener may wipe its environment: the first
// path that the host gives until a connection is made, else what KEYBROKER_SOCKET said when the
// module was first used, else kDefaultSocketPath. Two buffers, so that a fork never sees half a
// path. Locking is the caller's.
class SocketPath {
 public:
  constexpr SocketPath() = default;

  // Choose takes what the host gave in C_Initialize; empty: nothing, so that without an earlier
  // choice the environment (not under AT_SECURE) or the default is taken. False when the
  // environment's is no socket path.
  [[nodiscard]] bool Choose(std::string_view given);

  // Settle is called when a connection was made: what the host gives from now on is too late.
  void Settle() { settled_ = true; }

  // Reopen is called by C_Finalize: the path stays, and a host that gives another one gets it.
  void Reopen() { given_ = settled_ = false; }

  // path is the remembered one, NUL-terminated; empty before the first Choose.
  const char* path() const { return paths_[current_]; }

 private:
  void Remember(std::string_view path);

  char paths_[2][kMaxSocketPath + 1] = {};
  volatile unsigned char current_ = 0;
  bool given_ = false;
  bool settled_ = false;
};

}  // namespace keybroker::module
