#include "keybroker/ipc/notify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <charconv>
#include <cstring>
#include <string>

#include "keybroker/base/unique_fd.h"
#include "keybroker/ipc/unix_address.h"

namespace keybroker::ipc {

namespace {

// TellParent is Notify by kNotifyFd; false: there is none.
bool TellParent(std::string_view state) {
  const char* number = ::getenv(kNotifyFd);
  if (number == nullptr) return false;
  int fd = -1;
  const auto [end, error] = std::from_chars(number, number + std::strlen(number), fd);
  if (error != std::errc() || *end != '\0') return false;
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // it is not for what a vendor's library may start
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return true;
}

}  // namespace

void Notify(std::string_view state) {
  if (TellParent(state)) return;
  const char* where = ::getenv("NOTIFY_SOCKET");
  if (where == nullptr) return;
  const auto address = UnixAddress::OfNotifySocket(where);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!address || !fd) return;
  // A manager that does not listen is no reason to fail.
  [[maybe_unused]] const ssize_t sent =
      ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT, address->get(),
               address->size());
}

void NotifyReloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto usec = static_cast<unsigned long long>(now.tv_sec) * 1000000 +
                    static_cast<unsigned long long>(now.tv_nsec) / 1000;
  Notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

}  // namespace keybroker::ipc
