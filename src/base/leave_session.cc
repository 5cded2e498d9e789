#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string>

#include "keybroker/base/process.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker {
namespace {

Status Replace(int fd, const std::string& path, int flags) {
  const UniqueFd file(::open(path.c_str(), flags | O_NOCTTY | O_CLOEXEC));
  if (!file) return Fail(SystemError("cannot open " + path, errno));
  if (::dup2(file.get(), fd) < 0) return Fail(SystemError("dup2", errno));
  return {};
}

// CloseFrom closes first and what is above it, but keep.
Status CloseFrom(unsigned first, int keep) {
  constexpr unsigned kLast = std::numeric_limits<unsigned>::max();
  const auto kept = static_cast<unsigned>(keep);
  const bool split = keep >= 0 && kept >= first;
  if (split && kept > first && ::close_range(first, kept - 1, 0) != 0) {
    return Fail(SystemError("close_range", errno));
  }
  if (::close_range(split ? kept + 1 : first, kLast, 0) != 0) {
    return Fail(SystemError("close_range", errno));
  }
  return {};
}

}  // namespace

Status LeaveSession(int keep) {
  if (::setsid() < 0) return Fail(SystemError("setsid", errno));
  KB_TRY(Replace(STDIN_FILENO, "/dev/null", O_RDONLY));
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    // Who stays the same user may open the terminal by its name.
    if (::geteuid() != 0 || ::isatty(fd) == 0) continue;
    KB_TRY(Replace(fd, "/proc/self/fd/" + std::to_string(fd), O_WRONLY));
  }
  return CloseFrom(STDERR_FILENO + 1, keep);
}

}  // namespace keybroker
