#include "bench/two_hops.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace keybroker::test {
namespace {

// A SignRequest of a digest and a P-256 SignReply, with their headers (docs/protocol.md).
constexpr size_t kRequest = 12 + 32 + 4 + 8 + 1 + 4 + 32;
constexpr size_t kReply = 12 + 2 + 64;

using Message = std::array<uint8_t, 512>;

// Pass answers each message on from with what answer says, until the peer is gone.
template <typename Answer>
void Serve(int from, Answer answer) {
  Message message{};
  while (::recv(from, message.data(), message.size(), 0) > 0) {
    const size_t size = answer(message);
    if (size == 0 || ::send(from, message.data(), size, MSG_NOSIGNAL) < 0) return;
  }
}

// Child forks; run is the child's whole life. The pid, or an error.
template <typename Run>
Result<pid_t> Child(Run run) {
  const pid_t pid = ::fork();
  if (pid < 0) return Fail(SystemError("fork", errno));
  if (pid > 0) return pid;
  run();
  ::_exit(0);
}

struct Pair {
  UniqueFd near;
  UniqueFd far;
};

Result<Pair> MakePair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    return Fail(SystemError("socketpair", errno));
  }
  return Pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void RunSigner(const Target& target, int fd) {
  auto client = Pkcs11Client::Open(target);
  if (!client) return;
  Serve(fd, [&](Message&) { return client->Sign() ? kReply : size_t{0}; });
}

void RunRelay(int from, int to) {
  Serve(from, [to](Message& message) {
    if (::send(to, message.data(), kRequest, MSG_NOSIGNAL) < 0) return size_t{0};
    const ssize_t size = ::recv(to, message.data(), message.size(), 0);
    return size > 0 ? static_cast<size_t>(size) : size_t{0};
  });
}

}  // namespace

Result<TwoHops> TwoHops::Start(const Target& target) {
  KB_ASSIGN(Pair client, MakePair());
  KB_ASSIGN(Pair token, MakePair());
  TwoHops hops;
  KB_ASSIGN(hops.pids_[0], Child([&] {
              client.near.Reset();
              client.far.Reset();
              token.near.Reset();
              RunSigner(target, token.far.get());
            }));
  KB_ASSIGN(hops.pids_[1], Child([&] {
              client.near.Reset();
              token.far.Reset();
              RunRelay(client.far.get(), token.near.get());
            }));
  hops.relay_ = std::move(client.near);
  return hops;
}

TwoHops::TwoHops(TwoHops&& other) noexcept
    : relay_(std::move(other.relay_)),
      pids_{std::exchange(other.pids_[0], -1), std::exchange(other.pids_[1], -1)} {}

TwoHops::~TwoHops() {
  relay_.Reset();
  for (const pid_t pid : pids_) {
    if (pid > 0) ::waitpid(pid, nullptr, 0);
  }
}

Status TwoHops::Sign() {
  Message message{};
  if (::send(relay_.get(), message.data(), kRequest, MSG_NOSIGNAL) < 0 ||
      ::recv(relay_.get(), message.data(), message.size(), 0) <= 0) {
    return Fail(Unavailable("the relay or the signer behind it has ended"));
  }
  return {};
}

}  // namespace keybroker::test
