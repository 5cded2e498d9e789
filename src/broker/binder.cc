#include "broker/binder.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace keybroker::broker {
namespace {

// The broker asks with the digest of the endpoints that it read. A message of the binder is one
// letter and a text: 's' and the path of the socket that comes with it, 'o' at the end of a
// success, 'e' and what went wrong.
constexpr size_t kMaxText = 8192;
using Digest = size_t;

// DigestOf is the same in both processes, which are one program, when all endpoints are.
Digest DigestOf(const std::vector<Endpoint>& endpoints) {
  std::string text;
  for (const Endpoint& one : endpoints) {
    for (const std::string& part :
         {one.listener, one.path.native(), one.jail.native(), std::to_string(one.owner),
          std::to_string(one.group), std::to_string(one.mode)}) {
      text.append(part).push_back('\0');
    }
  }
  return std::hash<std::string>()(text);
}

bool SendPart(int socket, char letter, std::string_view text, int fd = -1) {
  iovec parts[2] = {{&letter, 1},
                    {const_cast<char*>(text.data()), std::min(text.size(), kMaxText)}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

struct Part {
  char letter = 0;
  std::string text;
  UniqueFd fd;
};

Result<Part> ReceivePart(int socket) {
  std::string buffer(1 + kMaxText, '\0');
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) {
    return Fail(
        Unavailable("the process that binds sockets for the broker has ended; restart the "
                    "broker to change listeners' sockets"));
  }
  Part received{buffer[0], buffer.substr(1, static_cast<size_t>(size) - 1), {}};
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS &&
      rights->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    received.fd.Reset(fd);
  }
  return received;
}

const Endpoint* FindByPath(const std::vector<Endpoint>& endpoints, std::string_view path) {
  const auto found = std::find_if(endpoints.begin(), endpoints.end(),
                                  [&](const Endpoint& e) { return e.path.native() == path; });
  return found == endpoints.end() ? nullptr : &*found;
}

}  // namespace

std::vector<Endpoint> WantedEndpoints(const Configuration& configuration,
                                      const std::set<std::string>& activated) {
  std::vector<Endpoint> wanted;
  for (const auto& listener : configuration.listeners) {
    if (activated.contains(listener->policy.name)) continue;
    wanted.insert(wanted.end(), listener->endpoints.begin(), listener->endpoints.end());
  }
  return wanted;
}

Status Binder::Separate() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return Fail(SystemError("socketpair", errno));
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  const pid_t child = ::fork();
  if (child < 0) return Fail(SystemError("fork", errno));
  if (child == 0) Serve(std::move(theirs));
  process_ = std::move(ours);
  return {};
}

void Binder::Serve(UniqueFd socket) {
  // Listening sockets that stayed open here would look alive after the broker has died.
  if (::dup2(socket.get(), 3) < 0 || ::close_range(4, ~0U, 0) != 0) ::_exit(1);
  ::prctl(PR_SET_NAME, "keybrokerd-bind");
  // It ends when the broker does, not when a terminal's ^C reaches the whole group.
  for (const int ignored : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) ::signal(ignored, SIG_IGN);
  Digest read_by_broker = 0;
  for (;;) {
    const ssize_t size = ::recv(3, &read_by_broker, sizeof read_by_broker, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size != sizeof read_by_broker) ::_exit(0);
    auto bound = Rebind(read_by_broker);
    if (!bound) {
      SendPart(3, 'e', bound.error().detail);
      continue;
    }
    for (const BoundEndpoint& one : *bound) {
      SendPart(3, 's', one.endpoint.path.native(), one.fd.get());
    }
    SendPart(3, 'o', {});
  }
}

Result<std::vector<BoundEndpoint>> Binder::Rebind(size_t read_by_broker) {
  KB_ASSIGN(const config::Settings settings, config::LoadSettings(settings_.file));
  KB_ASSIGN(const Configuration configuration, LoadConfiguration(settings, broker_));
  const std::vector<Endpoint> wanted = WantedEndpoints(configuration, activated_);
  // Nothing may be bound yet: the broker would drop a socket that it did not read of, whose name
  // stays, and which this process would never bind again.
  if (DigestOf(wanted) != read_by_broker) {
    return Fail(Conflict("a listener's file was changed while the files were read; reload again"));
  }
  return endpoints_.Reconcile(wanted, ipc::Listens::kNow);
}

Result<std::vector<BoundEndpoint>> Binder::BindFirst(const Configuration& configuration) {
  return endpoints_.Reconcile(WantedEndpoints(configuration, activated_), ipc::Listens::kLater);
}

Result<std::vector<BoundEndpoint>> Binder::Bind(const Configuration& configuration) {
  const std::vector<Endpoint> wanted = WantedEndpoints(configuration, activated_);
  if (!process_) return endpoints_.Reconcile(wanted, ipc::Listens::kNow);
  const Digest digest = DigestOf(wanted);
  if (::send(process_.get(), &digest, sizeof digest, MSG_NOSIGNAL) != sizeof digest) {
    return Fail(
        Unavailable("the process that binds sockets for the broker has ended; restart the "
                    "broker to change listeners' sockets"));
  }
  std::vector<BoundEndpoint> bound;
  for (;;) {
    KB_ASSIGN(Part part, ReceivePart(process_.get()));
    if (part.letter == 'e') return Fail(Malformed(part.text));
    if (part.letter == 'o') return bound;
    const Endpoint* endpoint = FindByPath(wanted, part.text);
    if (endpoint != nullptr && part.fd) bound.push_back({*endpoint, std::move(part.fd)});
  }
}

}  // namespace keybroker::broker
