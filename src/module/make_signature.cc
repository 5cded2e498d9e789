#include "module/make_signature.h"

#include <stdlib.h>

#include "module/clock.h"
#include "module/exchange.h"

namespace keybroker::module {
namespace {

// A SignRequest's fields around the data, with room to spare.
constexpr size_t kRequestFields = wire::kHeaderSize + wire::kKeyRefSize + 64;
constexpr size_t kReplyRoom = wire::kHeaderSize + 2 + wire::kMaxSignature;
// Digests and what else is short are sent from the stack.
constexpr size_t kStackRequest = 1024;

struct Answer {
  std::span<uint8_t> signature;
  bool fits = false;
};

bool Accept(void* self, wire::Bytes body) {
  const auto reply = wire::DecodeSignReply(body);
  if (!reply) return false;
  auto& answer = *static_cast<Answer*>(self);
  answer.fits = reply->signature.size() == answer.signature.size();
  if (answer.fits)
    memcpy(answer.signature.data(), reply->signature.data(), answer.signature.size());
  return true;
}

CK_RV AskForSignature(const Call& call, const SignOperation& operation, wire::Bytes data,
                      std::span<uint8_t> request, Answer* answer) {
  wire::FrameWriter frame(request, {wire::MessageType::kSignRequest});
  wire::Encode(wire::SignRequest{operation.key, static_cast<uint32_t>(operation.mechanism->type),
                                 NowMs() + kReplyTimeoutMs, operation.pss, data},
               frame.body());
  const size_t size = frame.Finish();
  if (size == 0) return CKR_DATA_LEN_RANGE;
  uint8_t reply[kReplyRoom];
  return Ask(call,
             {request.first(size), reply, wire::MessageType::kSignReply, answer, Accept, nullptr});
}

}  // namespace

CK_RV MakeSignature(const Call& call, const SignOperation& operation, wire::Bytes data,
                    std::span<uint8_t> signature) {
  Answer answer{signature};
  CK_RV rv;
  if (data.size() <= kStackRequest - kRequestFields) {
    uint8_t request[kStackRequest];
    rv = AskForSignature(call, operation, data, request, &answer);
  } else {
    const size_t room = data.size() + kRequestFields;
    void* request = malloc(room);
    if (request == nullptr) return CKR_HOST_MEMORY;
    rv = AskForSignature(call, operation, data, {static_cast<uint8_t*>(request), room}, &answer);
    free(request);
  }
  if (rv == CKR_KEY_HANDLE_INVALID) {
    const Hold hold(call.process().mutex);
    call.process().view.Doubt();
  }
  if (rv == CKR_OK && !answer.fits) return CKR_FUNCTION_FAILED;
  return rv;
}

}  // namespace keybroker::module
