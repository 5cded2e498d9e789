#include "keybroker/broker/admin_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "broker/bind_socket.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"

namespace keybroker::broker {
namespace {

constexpr timeval kPatience{20, 0};  // a reload waits for tokens
constexpr size_t kMaxReply = 64 << 20;

Error NobodyThere(const config::Settings& settings, int error) {
  const std::string where = settings.AdminSocket().string();
  if (error == EACCES || error == EPERM) {
    return Denied("this user may not use " + where +
                  "; become root, or a member of admin_group in [users] of keybroker.toml");
  }
  return Unavailable("no broker answers at " + where +
                     "; start it (systemctl start keybrokerd, or keybroker run)");
}

Result<UniqueFd> Connect(const config::Settings& settings) {
  KB_ASSIGN(const sockaddr_un address, UnixAddress(settings.AdminSocket()));
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Fail(SystemError("socket", errno));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Fail(NobodyThere(settings, errno));
  }
  if (::fcntl(fd.get(), F_SETFL, 0) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) != 0) {
    return Fail(SystemError("setsockopt", errno));
  }
  return fd;
}

// Conversation is one connection's requests and replies.
class Conversation {
 public:
  Conversation(const config::Settings& settings, UniqueFd fd)
      : settings_(settings), fd_(std::move(fd)), buffer_(wire::kMaxMessage + 1) {}

  Status SendBytes(size_t size) {
    if (size == 0) return Fail(Malformed("the arguments are too long"));
    if (::send(fd_.get(), buffer_.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size)) {
      return {};
    }
    return Fail(NobodyThere(settings_, errno));
  }

  Result<wire::Frame> Receive() {
    ssize_t size = 0;
    do {
      size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    } while (size < 0 && errno == EINTR);
    if (size <= 0) {
      return Fail(Unavailable("the broker ended the connection, or does not answer; see its log"));
    }
    const auto frame = wire::DecodeFrame({buffer_.data(), static_cast<size_t>(size)});
    if (!frame) return Fail(Malformed("the broker's reply is malformed: another version?"));
    if (frame->header.type == wire::MessageType::kFailure) {
      const auto failure = wire::DecodeFailure(frame->body);
      if (failure && failure->code == ErrorCode::kDenied) {
        return Fail(NobodyThere(settings_, EACCES));
      }
      return Fail(Malformed("the broker refuses this version of the protocol"));
    }
    return *frame;
  }

  std::span<uint8_t> buffer() { return buffer_; }

 private:
  const config::Settings& settings_;
  UniqueFd fd_;
  std::vector<uint8_t> buffer_;
};

Result<uint16_t> SayHello(Conversation& with) {
  wire::FrameWriter frame(with.buffer(), {wire::MessageType::kHello, 0, 1});
  wire::Encode(wire::Hello{wire::kMinVersion, wire::kVersion}, frame.body());
  KB_TRY(with.SendBytes(frame.Finish()));
  KB_ASSIGN(const wire::Frame reply, with.Receive());
  const auto hello = wire::DecodeHelloReply(reply.body);
  if (reply.header.type != wire::MessageType::kHelloReply || !hello) {
    return Fail(Malformed("the broker's greeting is malformed: another version?"));
  }
  return hello->version;
}

// Read joins the pages of a reply.
Result<std::string> Read(Conversation& with, bool& done) {
  std::string text;
  for (;;) {
    KB_ASSIGN(const wire::Frame frame, with.Receive());
    const auto reply = wire::DecodeAdminReply(frame.body);
    if (frame.header.type != wire::MessageType::kAdminReply || !reply ||
        text.size() + reply->text.size() > kMaxReply) {
      return Fail(Malformed("the broker's reply is malformed: another version?"));
    }
    text += reply->text;
    done = reply->done;
    if (!reply->more) return text;
  }
}

Error ToError(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return Internal("the broker's error is malformed");
  Error error = Internal(json.value("detail", std::string("unknown")));
  const std::string name = json.value("error", std::string());
  for (unsigned short code = 1; code <= static_cast<unsigned short>(ErrorCode::kConflict); ++code) {
    if (ErrorCodeName(static_cast<ErrorCode>(code)) == name)
      error.code = static_cast<ErrorCode>(code);
  }
  return error;
}

}  // namespace

Result<std::string> AskBroker(const config::Settings& settings, wire::AdminVerb verb,
                              std::initializer_list<std::string_view> arguments) {
  wire::AdminRequest request{verb, 0, {}};
  if (arguments.size() > request.arguments.size()) return Fail(Malformed("too many arguments"));
  for (const std::string_view argument : arguments) {
    request.arguments[request.argument_count++] = argument;
  }
  KB_ASSIGN(UniqueFd fd, Connect(settings));
  Conversation with(settings, std::move(fd));
  KB_ASSIGN(const uint16_t version, SayHello(with));
  wire::FrameWriter frame(with.buffer(), {wire::MessageType::kAdminRequest, version, 2});
  wire::Encode(request, frame.body());
  KB_TRY(with.SendBytes(frame.Finish()));
  bool done = false;
  KB_ASSIGN(std::string text, Read(with, done));
  if (!done) return Fail(ToError(text));
  return text;
}

}  // namespace keybroker::broker
