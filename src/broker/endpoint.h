#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace keybroker::broker {

// Endpoint is one listening socket: where it appears, and whose it is. A listener has one, and one
// more in each of its jails.
struct Endpoint {
  std::string listener;
  std::filesystem::path path;  // as seen from outside every jail
  std::filesystem::path jail;  // the chroot it lies in; empty: none
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0660;

  bool operator==(const Endpoint&) const = default;
};

}  // namespace keybroker::broker
