#include "cli/listener_check/connection.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "cli/answer.h"

namespace keybroker::cli {
namespace {

using Deadline = Connection::Deadline;

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::string Words(int error) { return std::generic_category().message(error); }

// Await waits until the descriptor is ready; false when the time is up.
bool Await(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd one{fd, events, 0};
    const int n = ::poll(&one, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

// ConnectOne gives errno's number for what kept it from connecting, 0 when nothing did.
int ConnectOne(int fd, const addrinfo& to, Deadline deadline) {
  if (::connect(fd, to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!Await(fd, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Problem CannotConnect(const Address& address, int error) {
  const std::string where = address.host + ":" + address.port;
  if (error == ECONNREFUSED) {
    return {Fault::kNothingListens, "nothing listens at " + where +
                                        ": is the server running, and at this port? Its log says "
                                        "why it did not start"};
  }
  return {Fault::kUnreachable, "cannot connect to " + where + ": " + Words(error)};
}

}  // namespace

Result<Address> ParseAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::string port(colon == std::string_view::npos ? "" : text.substr(colon + 1));
  const bool digits = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string::npos;
  const bool plain = !host.empty() && (bracketed || host.find(':') == std::string_view::npos);
  if (!digits || !plain) {
    return Fail(WrongUsage("\"" + std::string(text) +
                           "\" is not HOST:PORT, such as 127.0.0.1:443 or [::1]:443"));
  }
  return Address{std::string(host), port};
}

Attempt<Connection> Connection::Open(const Address& address, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found)) {
    return Failed(Fault::kUnreachable,
                  "cannot find \"" + address.host + "\": " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    UniqueFd fd(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    error = fd ? ConnectOne(fd.get(), *one, deadline) : errno;
    if (error == 0) return Connection(std::move(fd), deadline);
  }
  return tl::unexpected<Problem>(CannotConnect(address, error));
}

Attempt<void> Connection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!Await(fd_.get(), POLLOUT, deadline_)) {
      return Failed(Fault::kSilent, "the server takes nothing more");
    }
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return Failed(Fault::kClosed, "the server ended the connection: " + Words(errno));
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Attempt<std::string> Connection::Receive() {
  char buffer[4096];
  for (;;) {
    if (!Await(fd_.get(), POLLIN, deadline_)) {
      return Failed(Fault::kSilent,
                    "the server sent nothing more in the time that a handshake has");
    }
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return Failed(Fault::kClosed, "the server ended the connection: " + Words(errno));
    if (n == 0) return Failed(Fault::kClosed, "the server ended the connection");
    received_ += static_cast<size_t>(n);
    if (received_ > kMostBytes) {
      return Failed(Fault::kFlood, "the server sent more than " +
                                       std::to_string(kMostBytes / 1024) +
                                       " KiB, which no handshake needs");
    }
    return std::string(buffer, static_cast<size_t>(n));
  }
}

}  // namespace keybroker::cli
