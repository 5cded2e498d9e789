#include "broker/ask_token.h"

#include <algorithm>
#include <optional>

#include "broker/clock.h"

namespace keybroker::broker {
namespace {

constexpr uint64_t kRetryMs = 20;  // between attempts while nobody tells us of the outage's end
constexpr wire::Failure kAway{ErrorCode::kUnavailable, 0};

// Attempt is one try: an answer, or what was lost.
struct Attempt {
  std::optional<TokenAnswer> answer;
  TokenGate::Loss loss = TokenGate::Loss::kConnection;
  bool sent = false;
};

Attempt Read(TokenLink& link, const wire::Frame& reply, size_t signature_size) {
  if (reply.header.type == wire::MessageType::kSignReply) {
    const auto signature = wire::DecodeSignReply(reply.body);
    if (signature && signature->signature.size() == signature_size) {
      link.gate().NoteWorking();
      return {TokenAnswer(signature->signature), {}, true};
    }
    // It is no signature of this key: nothing to repeat, and nothing to give out.
    link.Close();
    return {TokenAnswer(wire::Failure{ErrorCode::kTokenFailed, CKR_DEVICE_ERROR}), {}, true};
  }
  const auto failure = reply.header.type == wire::MessageType::kFailure
                           ? wire::DecodeFailure(reply.body)
                           : std::nullopt;
  if (!failure) {
    link.Close();
    return {std::nullopt, TokenGate::Loss::kConnection, true};
  }
  if (failure->code == ErrorCode::kUnavailable) {
    if (failure->rv == wire::kDeadlinePassed) return {TokenAnswer(kAway), {}, true};
    return {std::nullopt, TokenGate::Loss::kToken, false};
  }
  return {TokenAnswer(*failure), {}, true};
}

Attempt TryOnce(TokenLink& link, const wire::SignRequest& request, uint64_t deadline_ms,
                uint64_t patience_ends, size_t signature_size, Scratch scratch) {
  if (!link.Connect(scratch.receive, patience_ends)) return {};
  wire::FrameWriter frame(scratch.send, link.NextHeader(wire::MessageType::kSignRequest));
  wire::Encode(request, frame.body());
  const size_t size = frame.Finish();
  if (size == 0) return {TokenAnswer(wire::Failure{ErrorCode::kInternal, 0}), {}, false};
  wire::Frame reply;
  switch (link.RoundTrip(scratch.send.first(size), scratch.receive, deadline_ms, &reply)) {
    case Trip::kReply:
      return Read(link, reply, signature_size);
    case Trip::kTimedOut:
      return {TokenAnswer(kAway), {}, true};
    case Trip::kLost:
      return {std::nullopt, TokenGate::Loss::kConnection, true};
    case Trip::kNotThere:
      break;
  }
  return {};
}

}  // namespace

TokenAnswer AskToken(TokenLink& link, const wire::SignRequest& request, uint64_t deadline_ms,
                     size_t signature_size, Scratch scratch, const std::atomic<bool>& stopping) {
  TokenGate& gate = link.gate();
  wire::SignRequest capped = request;
  capped.deadline_ms = deadline_ms;
  // How long this request waits for connections, counted from when it first needs a new one.
  uint64_t patience_ends = 0;
  bool was_connected = link.connected();
  for (unsigned sends = 0;;) {
    if (!link.connected()) {
      if (gate.WaitIsOver()) return kAway;
      if (patience_ends == 0) {
        patience_ends = std::min(deadline_ms, MonotonicMs() + gate.budget_ms());
      }
    }
    const Attempt attempt =
        TryOnce(link, capped, deadline_ms, patience_ends, signature_size, scratch);
    if (attempt.answer) return *attempt.answer;
    sends += attempt.sent ? 1 : 0;
    if (sends >= kMaxSends) return kAway;
    // A connection that a restarted tokenhost ended long ago is no outage: try a new one first.
    if (was_connected && attempt.loss == TokenGate::Loss::kConnection) {
      was_connected = false;
      continue;
    }
    // That its own time is over says nothing of the token: whether that is away, its watch sees.
    if (MonotonicMs() >= deadline_ms) return kAway;
    const uint64_t outage_ends =
        gate.NoteLoss(attempt.loss, attempt.loss == TokenGate::Loss::kToken
                                        ? "its tokenhost says that the token is unavailable"
                                        : "the connection to its tokenhost was lost");
    const uint64_t now = MonotonicMs();
    if (patience_ends == 0) patience_ends = std::min(deadline_ms, now + gate.budget_ms());
    const uint64_t limit = std::min(outage_ends, patience_ends);
    if (now >= limit || stopping.load(std::memory_order_relaxed)) return kAway;
    gate.WaitForEnd(std::min(kRetryMs, limit - now));
  }
}

}  // namespace keybroker::broker
