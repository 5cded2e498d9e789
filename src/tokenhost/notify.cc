#include "tokenhost/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "keybroker/base/unique_fd.h"

namespace keybroker::tokenhost {

void NotifyServiceManager(std::string_view state) {
  const char* name = ::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t size = name == nullptr ? 0 : strlen(name);
  if (size < 2 || size >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@')) return;
  memcpy(address.sun_path, name, size);
  if (name[0] == '@') address.sun_path[0] = '\0';  // abstract
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  // A manager that does not listen is no reason to fail.
  [[maybe_unused]] const ssize_t sent =
      ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&address), length);
}

}  // namespace keybroker::tokenhost
