#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <string_view>

#include "keybroker/base/result.h"

namespace keybroker::ipc {

// UnixAddress is the name of a Unix socket in the form that bind(2) and connect(2) take (unix(7)).
class UnixAddress {
 public:
  // OfPath is a socket in the file system. Malformed when path has not 1 to 107 bytes.
  static Result<UnixAddress> OfPath(const std::filesystem::path& path);

  // OfNotifySocket is what NOTIFY_SOCKET names (sd_notify(3)): an absolute path, or '@' and an
  // abstract name. Malformed when it is neither, or longer than 107 bytes.
  static Result<UnixAddress> OfNotifySocket(std::string_view name);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return size_; }

 private:
  explicit UnixAddress(std::string_view name);

  sockaddr_un address_{};
  socklen_t size_;
};

}  // namespace keybroker::ipc
