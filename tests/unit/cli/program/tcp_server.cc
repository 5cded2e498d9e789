#include "unit/cli/program/tcp_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>

namespace keybroker::cli::test {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

UniqueFd Bound(int* port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!fd || ::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0) {
    abort();
  }
  *port = ntohs(address.sin_port);
  return fd;
}

// Pass carries what is there from one to the other; false at the end.
bool Pass(int from, int to) {
  char buffer[4096];
  const ssize_t n = ::recv(from, buffer, sizeof buffer, 0);
  return n > 0 && ::send(to, buffer, static_cast<size_t>(n), MSG_NOSIGNAL) == n;
}

}  // namespace

bool Peer::Send(const std::string& bytes) const {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

std::string Peer::Line() const {
  std::string line;
  char c = 0;
  while (::recv(fd_, &c, 1, 0) == 1 && c != '\n') line += c;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

void Peer::AwaitEnd() const {
  char buffer[4096];
  while (::recv(fd_, buffer, sizeof buffer, 0) > 0) {
  }
}

void Peer::Relay(int port) const {
  const UniqueFd inner(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  if (::connect(inner.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return;
  }
  pollfd both[2] = {{fd_, POLLIN, 0}, {inner.get(), POLLIN, 0}};
  while (::poll(both, 2, -1) > 0) {
    if (both[0].revents != 0 && !Pass(fd_, inner.get())) return;
    if (both[1].revents != 0 && !Pass(inner.get(), fd_)) return;
  }
}

TcpServer::TcpServer(std::function<void(const Peer&)> serve) : listening_(Bound(&port_)) {
  if (::listen(listening_.get(), 8) != 0) abort();
  thread_ = std::thread([fd = listening_.get(), serve = std::move(serve)] {
    for (;;) {
      const UniqueFd one(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
      if (!one) return;
      serve(Peer(one.get()));
    }
  });
}

TcpServer::~TcpServer() {
  ::shutdown(listening_.get(), SHUT_RDWR);
  thread_.join();
}

std::string ClosedPort() {
  int port = 0;
  Bound(&port);
  return "127.0.0.1:" + std::to_string(port);
}

}  // namespace keybroker::cli::test
