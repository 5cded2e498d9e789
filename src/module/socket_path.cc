#include "module/socket_path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

namespace keybroker::module {
namespace {

constexpr char kVariable[] = "KEYBROKER_SOCKET";

// A program with more rights than its caller must not let the caller's environment choose its key
// service.
std::string_view FromEnvironment() {
  if (getauxval(AT_SECURE) != 0) return {};
  const char* value = getenv(kVariable);
  return value != nullptr ? std::string_view(value) : std::string_view();
}

}  // namespace

bool IsSocketPath(std::string_view path) {
  return !path.empty() && path.front() == '/' && path.size() <= kMaxSocketPath &&
         path.find('\0') == std::string_view::npos;
}

void SocketPath::Remember(std::string_view path) {
  const auto other = static_cast<unsigned char>(1 - current_);
  memcpy(paths_[other], path.data(), path.size());
  paths_[other][path.size()] = '\0';
  current_ = other;
}

bool SocketPath::Choose(std::string_view given) {
  if (!given.empty()) {
    if (given_ || settled_) return true;
    Remember(given);
    given_ = true;
    return true;
  }
  if (*path() != '\0') return true;
  const std::string_view environment = FromEnvironment();
  if (!environment.empty() && !IsSocketPath(environment)) return false;
  Remember(environment.empty() ? kDefaultSocketPath : environment);
  return true;
}

}  // namespace keybroker::module
