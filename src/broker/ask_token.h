#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <variant>

#include "broker/token_link.h"
#include "keybroker/wire/sign.h"

namespace keybroker::broker {

// Scratch is a thread's buffers for the hop to the tokenhost, reused for every request.
struct Scratch {
  std::span<uint8_t> send;
  std::span<uint8_t> receive;
};

// TokenAnswer is a signature (it points into Scratch::receive) or why there is none.
using TokenAnswer = std::variant<wire::Bytes, wire::Failure>;

// AskToken carries one request to the tokenhost and its answer back. While the tokenhost is away it
// repeats the request on a new connection, until deadline_ms, the outage's budget, or a budget of
// its own from its first loss is over; a request that was lost in kMaxSends connections is given
// up, because it may be what ends them. The signature is signature_size bytes long or it is none.
TokenAnswer AskToken(TokenLink& link, const wire::SignRequest& request, uint64_t deadline_ms,
                     size_t signature_size, Scratch scratch, const std::atomic<bool>& stopping);

inline constexpr unsigned kMaxSends = 3;

}  // namespace keybroker::broker
