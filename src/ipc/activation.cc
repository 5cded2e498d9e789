#include "keybroker/ipc/activation.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "keybroker/ipc/listening_socket.h"

namespace keybroker::ipc {
namespace {

constexpr int kFirstFd = 3;  // SD_LISTEN_FDS_START

std::string Take(const char* variable) {
  const char* value = ::getenv(variable);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(variable);
  return text;
}

int Number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

// Listens is what PrepareListening leaves unasked, since it also takes sockets that do not yet.
bool Listens(int fd) {
  int listens = 0;
  socklen_t size = sizeof listens;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

Status TakeOver(int fd) {
  KB_TRY(PrepareListening(fd));
  if (Listens(fd)) return {};
  return Fail(Malformed("it does not listen"));
}

}  // namespace

Result<std::vector<ActivatedSocket>> TakeActivatedSockets() {
  const int pid = Number(Take("LISTEN_PID"));
  const int count = Number(Take("LISTEN_FDS"));
  const std::string names = Take("LISTEN_FDNAMES");
  std::vector<ActivatedSocket> sockets;
  if (pid != ::getpid() || count <= 0) return sockets;
  std::string_view left = names;
  for (int i = 0; i < count; ++i) {
    const size_t end = std::min(left.find(':'), left.size());
    std::string name(left.substr(0, end));
    left.remove_prefix(std::min(end + 1, left.size()));
    UniqueFd fd(kFirstFd + i);
    if (const auto status = TakeOver(fd.get()); !status) {
      return Fail(Malformed("socket " + std::to_string(i + 1) + " of LISTEN_FDS (\"" + name +
                            "\"): " + status.error().detail));
    }
    sockets.push_back({std::move(name), std::move(fd)});
  }
  return sockets;
}

}  // namespace keybroker::ipc
