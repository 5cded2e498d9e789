// What a worker answers to each message of a listener (docs/protocol.md).
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "broker/clock.h"
#include "broker/deed.h"
#include "broker/worker.h"
#include "keybroker/base/hex.h"
#include "keybroker/cryptoki/key_type.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/policy/decision.h"
#include "keybroker/wire/hello.h"

namespace keybroker::broker {
namespace {

bool MayAsk(const View& view, const ipc::Received& received) {
  return received.sender && view.MayAsk(received.sender->uid);
}

policy::SignFacts FactsOf(const wire::SignRequest& request) {
  policy::SignFacts facts{request.mechanism, std::nullopt, request.data};
  if (request.pss) {
    facts.pss = policy::PssFacts{request.pss->hash, request.pss->mgf, request.pss->salt_length};
  }
  return facts;
}

policy::Reason Decide(const View& view, const ViewKey* key, const wire::SignRequest& request) {
  const auto facts = key == nullptr ? std::nullopt : std::optional(key->facts());
  return policy::DecideRequest(view.setup().policy, facts ? &*facts : nullptr, FactsOf(request));
}

}  // namespace

Worker::Turn Worker::Handle(Connection& connection, const ipc::Received& received) {
  if (received.kind == ipc::Received::Kind::kNothing) return Turn::kArm;
  if (received.kind == ipc::Received::Kind::kEnd) return Turn::kClose;
  if (received.kind != ipc::Received::Kind::kMessage) {
    return BadMessage(connection, received, "a message with a descriptor, or one too long, came");
  }
  const auto frame = wire::DecodeFrame(received.message);
  if (!frame) return BadMessage(connection, received, "a malformed message came");
  const View* view = ViewOf(connection);
  if (view == nullptr) return Turn::kClose;  // the listener was removed
  if (frame->header.type == wire::MessageType::kHello) {
    return AnswerHello(connection, *frame, received, *view);
  }
  if (connection.version == 0 || frame->header.version != connection.version) {
    return BadMessage(connection, received, "a message of a version that was not agreed on came");
  }
  if (frame->header.type == wire::MessageType::kSignRequest) {
    return AnswerSign(connection, *frame, received, *view);
  }
  if (frame->header.type == wire::MessageType::kCatalogueRequest) {
    return AnswerCatalogue(connection, *frame, received, *view);
  }
  return BadMessage(connection, received, "a message that is no listener's came");
}

Worker::Turn Worker::Deny(Connection& connection, const wire::Header& header, policy::Reason reason,
                          Deed deed) {
  const CK_RV rv = policy::ReasonRv(reason);
  deed.decision = policy::ReasonName(reason);
  deed.result = cryptoki::RvName(rv);
  connection.listener->denied.fetch_add(1, std::memory_order_relaxed);
  share_.auditor.Refused("refuse", deed);
  return Fail(connection, header, {ErrorCode::kDenied, static_cast<uint32_t>(rv)});
}

Worker::Turn Worker::AnswerHello(Connection& connection, const wire::Frame& frame,
                                 const ipc::Received& received, const View& view) {
  const auto hello = wire::DecodeHello(frame.body);
  if (!hello || frame.header.version != 0) {
    return BadMessage(connection, received, "a malformed Hello came");
  }
  if (!MayAsk(view, received)) {
    return Deny(connection, frame.header, policy::Reason::kUserNotAllowed,
                DeedOf(view, received.sender));
  }
  const auto version = wire::NegotiateVersion(*hello, wire::kMinVersion, wire::kVersion);
  if (!version) {
    Fail(connection, frame.header, {ErrorCode::kMalformed, 0});
    return BadMessage(connection, received,
                      "a Hello of versions that this broker does not speak came");
  }
  connection.version = *version;
  wire::FrameWriter reply(send_, {wire::MessageType::kHelloReply, 0, frame.header.request_id});
  wire::Encode(
      wire::HelloReply{*version, view.token_present(), view.generation(), view.setup().policy.name},
      reply.body());
  return Send(connection, reply.Finish());
}

Worker::Turn Worker::AnswerCatalogue(Connection& connection, const wire::Frame& frame,
                                     const ipc::Received& received, const View& view) {
  const auto request = wire::DecodeCatalogueRequest(frame.body);
  if (!request) return BadMessage(connection, received, "a malformed CatalogueRequest came");
  if (!MayAsk(view, received)) {
    return Deny(connection, frame.header, policy::Reason::kUserNotAllowed,
                DeedOf(view, received.sender));
  }
  wire::FrameWriter reply(
      send_, {wire::MessageType::kCataloguePage, connection.version, frame.header.request_id});
  view.EncodePage(*request, reply.body());
  return Send(connection, reply.Finish());
}

Worker::Turn Worker::AnswerSign(Connection& connection, const wire::Frame& frame,
                                const ipc::Received& received, const View& view) {
  const auto request = wire::DecodeSignRequest(frame.body);
  if (!request) return BadMessage(connection, received, "a malformed SignRequest came");
  const ViewKey* key = view.Find(request->key);
  const auto reason =
      MayAsk(view, received) ? Decide(view, key, *request) : policy::Reason::kUserNotAllowed;
  Deed deed = DeedOf(view, received.sender);
  Describe(deed, *request, key);
  if (reason != policy::Reason::kGranted) {
    std::string asked_for;
    if (key == nullptr) deed.detail = asked_for = "key " + Hex(request->key);
    return Deny(connection, frame.header, reason, deed);
  }
  deed.decision = policy::ReasonName(reason);
  const uint64_t now = MonotonicMs();
  const auto cap = static_cast<uint64_t>(share_.settings.request_deadline.count());
  uint64_t deadline_ms = now + cap;
  if (request->deadline_ms != 0) deadline_ms = std::min(deadline_ms, request->deadline_ms);
  if (deadline_ms > now && !Enter(key->gate)) {
    Parked parked{&connection,
                  *received.sender,
                  frame.header.request_id,
                  deadline_ms,
                  {received.message.begin(), received.message.end()}};
    if (!key->gate->admission().EnterOrPark(std::move(parked))) {
      key->gate->Wake();  // it answers should the deadline pass first
      return Turn::kParked;
    }
  } else if (deadline_ms <= now) {
    deed.result = "expired";
    connection.listener->failed.fetch_add(1, std::memory_order_relaxed);
    share_.auditor.Refused("fail", deed);
    return Fail(connection, frame.header, {ErrorCode::kUnavailable, 0});
  }
  return CarryThrough(connection, frame.header, *request, *key, deed, deadline_ms);
}

// Place is a worker's place at a token, given back when the request is done.
class Worker::Place {
 public:
  Place(Worker& worker, std::shared_ptr<TokenGate> gate)
      : worker_(worker), gate_(std::move(gate)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { worker_.Leave(std::move(gate_)); }

 private:
  Worker& worker_;
  std::shared_ptr<TokenGate> gate_;
};

Worker::Turn Worker::CarryThrough(Connection& connection, const wire::Header& header,
                                  const wire::SignRequest& request, const ViewKey& key, Deed& deed,
                                  uint64_t deadline_ms) {
  const Place place(*this, key.gate);
  wire::Failure failure{ErrorCode::kUnavailable, 0};
  const bool able =
      std::binary_search(key.mechanisms.begin(), key.mechanisms.end(), request.mechanism);
  if (!able) {
    failure = {ErrorCode::kDenied, static_cast<uint32_t>(CKR_MECHANISM_INVALID)};
    deed.result = "not-offered-by-token";
  } else if (!share_.auditor.MayGrant()) {
    deed.result = "audit-unavailable";
  } else {
    const TokenAnswer answer = AskToken(LinkTo(key.gate), request, deadline_ms,
                                        cryptoki::SignatureSize(key.type, key.bits),
                                        {token_send_, token_receive_}, share_.stopping);
    if (const auto* signature = std::get_if<wire::Bytes>(&answer)) {
      deed.result = "ok";
      if (share_.auditor.Signed(deed)) {
        connection.listener->signatures.fetch_add(1, std::memory_order_relaxed);
        wire::FrameWriter reply(send_,
                                {wire::MessageType::kSignReply, header.version, header.request_id});
        wire::Encode(wire::SignReply{*signature}, reply.body());
        return Send(connection, reply.Finish());
      }
      deed.result = "audit-unavailable";
    } else {
      failure = std::get<wire::Failure>(answer);
      deed.result = failure.rv == 0 ? ErrorCodeName(failure.code) : cryptoki::RvName(failure.rv);
    }
  }
  connection.listener->failed.fetch_add(1, std::memory_order_relaxed);
  share_.auditor.Refused("fail", deed);
  return Fail(connection, header, failure);
}

}  // namespace keybroker::broker
