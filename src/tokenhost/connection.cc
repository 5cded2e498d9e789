#include "tokenhost/connection.h"

#include <unistd.h>

#include <utility>

#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::tokenhost {
namespace {

using wire::MessageType;

// How long a Hello or a catalogue waits for the first attempt at the token, so that a restart of
// the tokenhost does not look like a token that went away. The broker waits 2 s for a HelloReply.
constexpr std::chrono::milliseconds kStartWait{1500};

// How long one operator's command waits for another's, and for the signatures in hand.
constexpr std::chrono::seconds kLoanWait{45};

constexpr std::string_view kMalformed = "a malformed message, or one out of place";
constexpr std::string_view kUnread = "it did not wait for its answer";
constexpr std::string_view kNoCommonVersion = "it speaks no version that this tokenhost speaks";

std::string_view Clip(std::string_view text, size_t limit) { return text.substr(0, limit); }

}  // namespace

Connection::Connection(const Services& services, int fd)
    : services_(services), fd_(fd), in_(wire::kMaxMessage), out_(wire::kMaxMessage) {}

bool Connection::End(const ipc::Received& received, const std::string& why) {
  const std::string who = received.sender ? "uid " + std::to_string(received.sender->uid) +
                                                ", pid " + std::to_string(received.sender->pid)
                                          : "an unknown uid";
  services_.lines.Log(LogLevel::kWarning, "connection of " + who + " ended: " + why);
  return false;
}

void Connection::Serve() {
  for (;;) {
    const ipc::Received received = ipc::Receive(fd_, in_);
    switch (received.kind) {
      case ipc::Received::Kind::kMessage:
        if (!Answer(received)) return;
        break;
      case ipc::Received::Kind::kNothing:
      case ipc::Received::Kind::kEnd:
        return;
      case ipc::Received::Kind::kTooLong:
        Wipe(in_.data(), in_.size());
        End(received, "a message over " + std::to_string(wire::kMaxMessage) + " bytes");
        return;
      case ipc::Received::Kind::kDescriptors:
        Wipe(in_.data(), received.message.size());
        End(received, "it passed file descriptors, which are never taken");
        return;
    }
  }
}

bool Connection::Answer(const ipc::Received& received) {
  if (!received.sender) {
    Wipe(in_.data(), received.message.size());
    return End(received, "the kernel did not say who sent it");
  }
  const auto frame = wire::DecodeFrame(received.message);
  if (!frame) {
    Wipe(in_.data(), received.message.size());
    return End(received, "a frame that is not of the protocol");
  }
  const MessageType type = frame->header.type;
  if (!services_.rights.May(received.sender->uid, type)) {
    Wipe(in_.data(), received.message.size());
    SendFailure(frame->header, ErrorCode::kDenied, CKR_FUNCTION_REJECTED);
    return End(received,
               "this uid may not send message type " + std::to_string(static_cast<unsigned>(type)));
  }
  bool goes_on = false;
  switch (type) {
    case MessageType::kHello:
      goes_on = OnHello(*frame);
      break;
    case MessageType::kCatalogueRequest:
      goes_on = OnCatalogue(*frame);
      break;
    case MessageType::kSignRequest:
      goes_on = OnSign(*frame);
      break;
    case MessageType::kTokenStatusRequest:
      goes_on = OnStatus(*frame);
      break;
    case MessageType::kUnlockRequest:
      goes_on = OnUnlock(*frame);
      break;
    case MessageType::kBorrowRequest:
      goes_on = OnBorrow(*frame, *received.sender);
      break;
    default:
      break;
  }
  return goes_on ||
         End(received, std::string(fault_.empty() ? kMalformed : fault_) + " (message type " +
                           std::to_string(static_cast<unsigned>(type)) + ")");
}

template <typename Write>
bool Connection::Reply(const wire::Header& header, Write write) {
  wire::FrameWriter frame(out_, header);
  write(frame.body());
  const size_t size = frame.Finish();
  if (size != 0 && ipc::Send(fd_, {out_.data(), size})) return true;
  fault_ = kUnread;
  return false;
}

bool Connection::SendFailure(const wire::Header& request, ErrorCode code, CK_RV rv) {
  // A Failure that answers a Hello says version 0, as the Hello does.
  const uint16_t version = request.type == MessageType::kHello ? uint16_t{0} : request.version;
  return Reply({MessageType::kFailure, version, request.request_id}, [&](wire::Writer& body) {
    Encode(wire::Failure{code, static_cast<uint32_t>(rv)}, body);
  });
}

bool Connection::OnHello(const wire::Frame& frame) {
  const auto hello = wire::DecodeHello(frame.body);
  if (!hello || frame.header.version != 0 || version_ != 0) return false;
  const auto version = wire::NegotiateVersion(*hello, wire::kMinVersion, wire::kVersion);
  if (!version) {
    if (SendFailure(frame.header, ErrorCode::kMalformed, CKR_FUNCTION_NOT_SUPPORTED)) {
      fault_ = kNoCommonVersion;
    }
    return false;
  }
  version_ = *version;
  const StandingPtr standing = services_.board.Started(StandingBoard::Clock::now() + kStartWait);
  return Reply({MessageType::kHelloReply, 0, frame.header.request_id}, [&](wire::Writer& body) {
    Encode(wire::HelloReply{version_, standing->ready(), standing->keys->generation(),
                            services_.token},
           body);
  });
}

bool Connection::OnCatalogue(const wire::Frame& frame) {
  const auto request = wire::DecodeCatalogueRequest(frame.body);
  if (!request || version_ == 0 || frame.header.version != version_) return false;
  StandingPtr standing = services_.board.Started(StandingBoard::Clock::now() + kStartWait);
  // Generation 0 from the beginning is how the broker asks for what the token holds now.
  if (request->generation == 0 && request->first == 0) {
    services_.keeper.Refresh(TokenKeeper::Clock::now());
    standing = services_.board.Now();
  }
  const bool current =
      request->generation == 0 || request->generation == standing->keys->generation();
  return Reply({MessageType::kCataloguePage, version_, frame.header.request_id},
               [&](wire::Writer& body) {
                 standing->keys->WritePage(current ? request->first : 0, standing->ready(),
                                           wire::kMaxMessage - wire::kHeaderSize, body);
               });
}

bool Connection::OnSign(const wire::Frame& frame) {
  const auto request = wire::DecodeSignRequest(frame.body);
  if (!request || version_ == 0 || frame.header.version != version_) return false;
  const auto signature = services_.signer.Sign(*request);
  if (!signature) {
    return SendFailure(frame.header, signature.error().code, signature.error().rv);
  }
  return Reply({MessageType::kSignReply, version_, frame.header.request_id},
               [&](wire::Writer& body) { Encode(wire::SignReply{*signature}, body); });
}

bool Connection::OnStatus(const wire::Frame& frame) {
  if (frame.header.version != wire::kVersion || !frame.body.empty()) return false;
  return SendStatus(MessageType::kTokenStatusReply, frame.header.request_id);
}

bool Connection::OnUnlock(const wire::Frame& frame) {
  const auto request = wire::DecodeUnlockRequest(frame.body);
  auto pin = request ? Secret::CopyFrom(request->pin) : Result<Secret>(Secret());
  Wipe(in_.data(), frame.body.size() + wire::kHeaderSize);
  if (!request || !pin || frame.header.version != wire::kVersion) return false;
  services_.board.Started(StandingBoard::Clock::now() + kStartWait);
  services_.keeper.Unlock(std::move(*pin));
  return SendStatus(MessageType::kUnlockReply, frame.header.request_id);
}

bool Connection::OnBorrow(const wire::Frame& frame, const ucred& sender) {
  if (frame.header.version != wire::kVersion || !frame.body.empty() || loan_) return false;
  const std::string borrower = "a command of uid " + std::to_string(sender.uid) + " (pid " +
                               std::to_string(sender.pid) + ")";
  auto loan = services_.keeper.Lend(borrower, TokenKeeper::Clock::now() + kLoanWait);
  if (!loan) return SendFailure(frame.header, loan.error().code, loan.error().rv);
  loan_.emplace(std::move(*loan));
  return SendStatus(MessageType::kBorrowReply, frame.header.request_id);
}

bool Connection::SendStatus(MessageType type, uint32_t request_id) {
  const StandingPtr standing = services_.board.Now();
  return Reply({type, wire::kVersion, request_id}, [&](wire::Writer& body) {
    Encode(wire::TokenStatus{standing->state, static_cast<uint32_t>(::getpid()),
                             standing->keys->generation(),
                             static_cast<uint32_t>(standing->keys->size()),
                             Clip(standing->label, wire::kMaxName),
                             Clip(standing->serial, wire::kMaxName),
                             Clip(standing->model, wire::kMaxName), Clip(standing->detail, 4096)},
           body);
  });
}

}  // namespace keybroker::tokenhost
