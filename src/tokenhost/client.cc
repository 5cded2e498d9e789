#include "keybroker/tokenhost/client.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "keybroker/base/unique_fd.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/sign.h"

namespace keybroker::tokenhost {
namespace {

using wire::MessageType;

// A status is answered at once; an unlock takes as long as a slow token's login.
constexpr timeval kStatusTimeout{5, 0};
constexpr timeval kUnlockTimeout{60, 0};
constexpr size_t kReplySize = 8192;

Error NotRunning(std::string_view name, const std::string& path, int error) {
  if (error == EACCES || error == EPERM) {
    return Denied("no permission for " + path + ": run this as root");
  }
  return Unavailable("the tokenhost of token \"" + std::string(name) + "\" does not answer on " +
                     path + " (" + strerror(error) +
                     "): start it with `keybroker run` or systemctl start keybroker-tokenhost@" +
                     std::string(name));
}

Result<UniqueFd> Connect(const std::string& path, std::string_view name, const timeval& timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Fail(
        Malformed("the socket's path " + path + " is too long: choose a shorter runtime_dir"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return Fail(SystemError("socket", errno));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Fail(NotRunning(name, path, errno));
  }
  return fd;
}

Result<TokenReport> ReadReport(std::span<const uint8_t> message, MessageType expected,
                               const std::string& path) {
  const auto frame = wire::DecodeFrame(message);
  if (frame && frame->header.type == MessageType::kFailure) {
    if (const auto failure = wire::DecodeFailure(frame->body)) {
      return Fail(Error{failure->code, failure->rv,
                        "the tokenhost refused the request (" +
                            std::string(cryptoki::RvName(failure->rv)) +
                            "): only root and the token user may ask this"});
    }
  }
  const auto status =
      frame && frame->header.type == expected ? wire::DecodeTokenStatus(frame->body) : std::nullopt;
  if (!status)
    return Fail(Malformed("what answers on " + path + " is not a tokenhost of this version"));
  return TokenReport{status->state,
                     static_cast<pid_t>(status->pid),
                     status->generation,
                     status->keys,
                     std::string(status->label),
                     std::string(status->serial),
                     std::string(status->model),
                     std::string(status->detail)};
}

Result<TokenReport> Ask(const config::Settings& settings, std::string_view name,
                        wire::Bytes request, MessageType expected, const timeval& timeout) {
  const std::string path = settings.TokenSocket(name).string();
  KB_ASSIGN(const UniqueFd fd, Connect(path, name, timeout));
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return Fail(NotRunning(name, path, errno));
  }
  std::vector<uint8_t> reply(kReplySize);
  const ssize_t size = ::recv(fd.get(), reply.data(), reply.size(), 0);
  if (size <= 0) return Fail(NotRunning(name, path, size == 0 ? ECONNRESET : errno));
  return ReadReport({reply.data(), static_cast<size_t>(size)}, expected, path);
}

}  // namespace

Result<TokenReport> AskTokenStatus(const config::Settings& settings, std::string_view name) {
  uint8_t buffer[wire::kHeaderSize];
  wire::FrameWriter frame(buffer, {MessageType::kTokenStatusRequest, wire::kVersion, 1});
  const size_t size = frame.Finish();
  return Ask(settings, name, {buffer, size}, MessageType::kTokenStatusReply, kStatusTimeout);
}

Result<TokenReport> UnlockToken(const config::Settings& settings, std::string_view name,
                                Secret pin) {
  if (pin.size() > wire::kMaxPin) {
    return Fail(Malformed("a PIN has at most " + std::to_string(wire::kMaxPin) + " bytes"));
  }
  // The message holds the PIN, so it is built in a Secret.
  KB_ASSIGN(Secret message, Secret::Allocate(wire::kHeaderSize + 2 + wire::kMaxPin));
  wire::FrameWriter frame(message.Buffer(), {MessageType::kUnlockRequest, wire::kVersion, 1});
  Encode(wire::UnlockRequest{pin.Expose()}, frame.body());
  message.SetSize(frame.Finish());
  return Ask(settings, name, message.Expose(), MessageType::kUnlockReply, kUnlockTimeout);
}

}  // namespace keybroker::tokenhost
