#include "engine/absence.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/engine_error.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::engine {
namespace {

// 0 when something accepts connections at the path, else errno. Never waits.
int AskSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  int error = 0;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) error = errno;
  close(fd);
  // A full backlog: somebody listens, and is busy.
  return error == EAGAIN ? 0 : error;
}

bool IsRefusal(CK_RV rv) {
  return rv == CKR_FUNCTION_REJECTED || rv == CKR_ACTION_PROHIBITED ||
         rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_KEY_FUNCTION_NOT_PERMITTED;
}

// What the broker answers when a binding does not name the key or the mechanism (docs/policy.md): a
// key that is not bound looks like one that is not there.
bool IsUnbound(CK_RV rv) { return rv == CKR_KEY_HANDLE_INVALID || rv == CKR_MECHANISM_INVALID; }

bool IsAbsence(CK_RV rv) {
  return rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT;
}

bool RaiseRefusal(const std::string& socket, const char* call, CK_RV rv) {
  return KB_RAISE(Reason::kListenerRefused,
                  "the broker refuses this process as listener at %s (%s gave %s); see: "
                  "keybroker why, keybroker listener show",
                  socket.c_str(), call, cryptoki::RvName(rv));
}

bool RaiseUnbound(const std::string& socket, CK_RV rv) {
  return KB_RAISE(Reason::kListenerRefused,
                  "no binding lets the listener at %s sign with this key by this mechanism (C_Sign "
                  "gave %s); see: keybroker why, keybroker listener bind",
                  socket.c_str(), cryptoki::RvName(rv));
}

}  // namespace

bool RaiseAbsence(const std::string& socket, const char* call, CK_RV rv) {
  const char* name = rv == CKR_OK ? "CKR_TOKEN_NOT_PRESENT" : cryptoki::RvName(rv);
  if (IsRefusal(rv)) return RaiseRefusal(socket, call, rv);
  if (socket.empty()) {
    return KB_RAISE(Reason::kBrokerAway,
                    "no token (%s gave %s), and the reference names no socket: broker or token is "
                    "away; see: keybroker doctor",
                    call, name);
  }
  int error = AskSocket(socket);
  if (error == EACCES || error == EPERM) {
    return KB_RAISE(Reason::kListenerRefused,
                    "this process (uid %u) may not connect to %s: %s; see: keybroker listener show",
                    geteuid(), socket.c_str(), strerror(error));
  }
  if (error != 0) {
    return KB_RAISE(Reason::kBrokerAway, "%s: %s; is keybrokerd running? see: keybroker doctor",
                    socket.c_str(), strerror(error));
  }
  return KB_RAISE(Reason::kTokenAway,
                  "the broker answers at %s, its token is away (%s gave %s); see: keybroker status",
                  socket.c_str(), call, name);
}

bool RaiseNoSignature(const std::string& socket, CK_RV rv) {
  if (IsAbsence(rv)) return RaiseAbsence(socket, "C_Sign", rv);
  if (IsUnbound(rv)) return RaiseUnbound(socket, rv);
  if (IsRefusal(rv)) return RaiseRefusal(socket, "C_Sign", rv);
  return KB_RAISE(Reason::kNoSignature,
                  "C_Sign gave %s; see: keybroker status, keybroker audit show",
                  cryptoki::RvName(rv));
}

}  // namespace keybroker::engine
