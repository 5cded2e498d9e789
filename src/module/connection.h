#pragma once

#include <cstdint>

#include "keybroker/wire/frame.h"

namespace keybroker::module {

// Connection is one connection to the broker, used by one call at a time. It is never freed, only
// used again, so that C_Finalize and a forked child can look at every one of them at any time.
struct Connection {
  enum class Use : uint8_t { kNone, kIdle, kBusy };

  Connection* next = nullptr;
  int fd = -1;          // written after cookie, so that a child never believes half of them
  uint64_t cookie = 0;  // SO_COOKIE of the socket under fd
  Use use = Use::kNone;
  bool reused = false;  // it has answered before; the broker may have restarted since
  uint16_t version = 0;
  uint32_t last_request = 0;
  uint64_t timeout_ms = 0;  // as the descriptor's SO_RCVTIMEO says; 0: not set yet
};

// OpenSocket makes a non-blocking connection attempt, which for a Unix socket succeeds or fails at
// once; receiving from it blocks. The descriptor, or -1 and errno.
int OpenSocket(const char* path);

// SocketCookie is the kernel's number of the socket under fd (socket(7), SO_COOKIE), which no other
// socket ever gets; 0 where fd is no socket.
uint64_t SocketCookie(int fd);

// IsSameSocket is whether fd is still that socket: a daemon that closes every descriptor it does
// not know may have another file under the number now. Asked before each use, so it is one cheap
// call.
bool IsSameSocket(int fd, uint64_t cookie);

// Turn is what became of one request.
enum class Turn : uint8_t { kReplied, kLost, kSilent };

// TakeTurn sends the message (patching request id and version into its header) and waits for its
// answer, a whole message in buffer. kLost: the connection ended, or what came is not an answer to
// this request; kSilent: nothing came in time. Either way the connection must be dropped.
Turn TakeTurn(Connection& connection, std::span<uint8_t> message, uint64_t timeout_ms,
              std::span<uint8_t> buffer, wire::Frame* reply);

}  // namespace keybroker::module
