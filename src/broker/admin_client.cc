#include "keybroker/broker/admin_client.h"

#include <chrono>
#include <span>
#include <vector>
#include "keybroker/base/json.h"

#include "keybroker/base/unique_fd.h"
#include "keybroker/ipc/connect.h"
#include "keybroker/ipc/message.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"

namespace keybroker::broker {
namespace {

constexpr std::chrono::seconds kPatience{20};  // a reload waits for tokens
constexpr size_t kMaxReply = 64 << 20;

// NobodyThere puts in the place of why the connection failed what to do about it.
Error NobodyThere(const config::Settings& settings, const Error& why) {
  const std::string where = settings.AdminSocket().string();
  if (why.code == ErrorCode::kDenied) {
    return Denied("this user may not use " + where +
                  "; become root, or a member of admin_group in [users] of keybroker.toml");
  }
  if (why.code != ErrorCode::kUnavailable) return why;
  return Unavailable("no broker answers at " + where +
                     "; start it (systemctl start keybrokerd, or keybroker run)");
}

// Conversation is one connection's requests and replies.
class Conversation {
 public:
  Conversation(const config::Settings& settings, UniqueFd fd)
      : settings_(settings), fd_(std::move(fd)), buffer_(wire::kMaxMessage + 1) {}

  Status SendBytes(size_t size) {
    if (size == 0) return Fail(Malformed("the arguments are too long"));
    const Status sent = ipc::Send(fd_.get(), buffer().first(size));
    if (!sent) return Fail(NobodyThere(settings_, sent.error()));
    return {};
  }

  Result<wire::Frame> Receive() {
    const ipc::Received received = ipc::Receive(fd_.get(), buffer_);
    if (received.kind == ipc::Received::Kind::kNothing ||
        received.kind == ipc::Received::Kind::kEnd) {
      return Fail(Unavailable("the broker ended the connection, or does not answer; see its log"));
    }
    const auto frame = received.kind == ipc::Received::Kind::kMessage
                           ? wire::DecodeFrame(received.message)
                           : std::nullopt;
    if (!frame) return Fail(Malformed("the broker's reply is malformed: another version?"));
    if (frame->header.type == wire::MessageType::kFailure) {
      const auto failure = wire::DecodeFailure(frame->body);
      if (failure && failure->code == ErrorCode::kDenied) {
        return Fail(NobodyThere(settings_, Denied("")));
      }
      return Fail(
          Malformed("the running broker is of another version than this program; start it again"));
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
  auto fd = ipc::Connect(settings.AdminSocket(), kPatience, ipc::FullBacklog::kFail);
  if (!fd) return Fail(NobodyThere(settings, fd.error()));
  Conversation with(settings, std::move(*fd));
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
