#include "keybroker/ipc/unix_address.h"

#include <cstddef>
#include <cstring>
#include <string>

namespace keybroker::ipc {
namespace {

// One byte of sun_path stays a NUL behind a path.
constexpr size_t kMaxName = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

UnixAddress::UnixAddress(std::string_view name)
    : size_(static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) {
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, name.data(), name.size());
}

Result<UnixAddress> UnixAddress::OfPath(const std::filesystem::path& path) {
  const std::string& text = path.native();
  if (text.empty() || text.size() > kMaxName) {
    return Fail(Malformed("the socket path \"" + text + "\" has " + std::to_string(text.size()) +
                          " bytes; unix(7) allows 1 to 107: choose a shorter one"));
  }
  return UnixAddress(text);
}

Result<UnixAddress> UnixAddress::OfNotifySocket(std::string_view name) {
  const bool abstract = name.starts_with('@');
  if (name.size() < 2 || name.size() > kMaxName || !(abstract || name.starts_with('/'))) {
    return Fail(Malformed("NOTIFY_SOCKET is neither an absolute path nor an abstract name"));
  }
  UnixAddress address(name);
  if (abstract) address.address_.sun_path[0] = '\0';
  return address;
}

}  // namespace keybroker::ipc
