#include "keybroker/tokenhost/client.h"

#include <chrono>
#include <utility>
#include <vector>

#include "keybroker/cryptoki/names.h"
#include "keybroker/ipc/connect.h"
#include "keybroker/ipc/message.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/sign.h"

namespace keybroker::tokenhost {
namespace {

using wire::MessageType;

// A status is answered at once; an unlock takes as long as a slow token's login.
constexpr std::chrono::seconds kStatusTimeout{5};
constexpr std::chrono::seconds kUnlockTimeout{60};
constexpr std::chrono::seconds kBorrowTimeout{60};  // the tokenhost itself waits 45 s
constexpr size_t kReplySize = 8192;

// NotRunning adds to why the connection failed what to do about it.
Error NotRunning(std::string_view name, const std::string& path, const Error& why) {
  if (why.code == ErrorCode::kDenied) {
    return Denied("no permission for " + path + ": run this as root");
  }
  if (why.code != ErrorCode::kUnavailable) return why;
  return Unavailable("the tokenhost of token \"" + std::string(name) + "\" does not answer on " +
                     path + " (" + why.detail +
                     "): start it with `keybroker run` or systemctl start keybroker-tokenhost@" +
                     std::string(name));
}

Result<TokenReport> ReadReport(std::span<const uint8_t> message, MessageType expected,
                               const std::string& path) {
  const auto frame = wire::DecodeFrame(message);
  if (frame && frame->header.type == MessageType::kFailure) {
    if (const auto failure = wire::DecodeFailure(frame->body)) {
      const bool busy = failure->code == ErrorCode::kUnavailable;
      return Fail(Error{failure->code, failure->rv,
                        "the tokenhost refused the request (" +
                            std::string(cryptoki::RvName(failure->rv)) + "): " +
                            (busy ? "another command is using the token; wait for it to end"
                                  : "only root and the token user may ask this")});
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

// Ask gives the report that answers, and leaves the connection open in kept.
Result<TokenReport> Ask(const config::Settings& settings, std::string_view name,
                        wire::Bytes request, MessageType expected,
                        std::chrono::milliseconds timeout, UniqueFd* kept = nullptr) {
  const std::string path = settings.TokenSocket(name).string();
  auto fd = ipc::Connect(path, timeout, ipc::FullBacklog::kWait);
  if (!fd) return Fail(NotRunning(name, path, fd.error()));
  if (const auto sent = ipc::Send(fd->get(), request); !sent) {
    return Fail(NotRunning(name, path, sent.error()));
  }
  std::vector<uint8_t> buffer(kReplySize);
  const ipc::Received reply = ipc::Receive(fd->get(), buffer);
  if (reply.kind == ipc::Received::Kind::kNothing) {
    // One that is there holds its token: it must not be taken for none.
    return Fail(TokenFailed("the tokenhost of token \"" + std::string(name) +
                            "\" is there and gave no answer in time: it is stopped or hangs. End "
                            "it, and start it again"));
  }
  if (reply.kind == ipc::Received::Kind::kEnd) {
    return Fail(NotRunning(name, path, Unavailable("it ended the connection")));
  }
  // Anything but a message is no more a tokenhost's answer than no bytes at all.
  const bool whole = reply.kind == ipc::Received::Kind::kMessage;
  auto report = ReadReport(whole ? reply.message : wire::Bytes(), expected, path);
  if (kept != nullptr) *kept = std::move(*fd);
  return report;
}

// AskEmpty asks by a message that has no body.
Result<TokenReport> AskEmpty(const config::Settings& settings, std::string_view name,
                             MessageType request, MessageType expected,
                             std::chrono::milliseconds timeout, UniqueFd* kept = nullptr) {
  uint8_t buffer[wire::kHeaderSize];
  wire::FrameWriter frame(buffer, {request, wire::kVersion, 1});
  const size_t size = frame.Finish();
  return Ask(settings, name, {buffer, size}, expected, timeout, kept);
}

}  // namespace

Result<TokenReport> AskTokenStatus(const config::Settings& settings, std::string_view name) {
  return AskEmpty(settings, name, MessageType::kTokenStatusRequest, MessageType::kTokenStatusReply,
                  kStatusTimeout);
}

Result<TokenLoan> BorrowToken(const config::Settings& settings, std::string_view name) {
  UniqueFd connection;
  KB_ASSIGN(const TokenReport report,
            AskEmpty(settings, name, MessageType::kBorrowRequest, MessageType::kBorrowReply,
                     kBorrowTimeout, &connection));
  if (report.state == wire::TokenState::kLent) return TokenLoan(std::move(connection));
  return Fail(Unavailable("the tokenhost did not let go of token \"" + std::string(name) + "\""));
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
