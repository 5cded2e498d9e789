#include "keybroker/wire/frame.h"

namespace keybroker::wire {
namespace {

constexpr size_t kLengthOffset = 8;

bool IsKnown(MessageType type) {
  switch (type) {
    case MessageType::kHello:
    case MessageType::kHelloReply:
    case MessageType::kCatalogueRequest:
    case MessageType::kCataloguePage:
    case MessageType::kSignRequest:
    case MessageType::kSignReply:
    case MessageType::kFailure:
    case MessageType::kAdminRequest:
    case MessageType::kAdminReply:
    case MessageType::kTokenStatusRequest:
    case MessageType::kTokenStatusReply:
    case MessageType::kUnlockRequest:
    case MessageType::kUnlockReply:
    case MessageType::kBorrowRequest:
    case MessageType::kBorrowReply:
      return true;
  }
  return false;
}

}  // namespace

std::optional<Frame> DecodeFrame(Bytes message) {
  if (message.size() > kMaxMessage) return std::nullopt;
  Reader reader(message);
  Frame frame;
  frame.header.type = static_cast<MessageType>(reader.U16());
  frame.header.version = reader.U16();
  frame.header.request_id = reader.U32();
  const uint32_t length = reader.U32();
  if (!reader.ok() || length != reader.left() || !IsKnown(frame.header.type)) return std::nullopt;
  frame.body = reader.Raw(length);
  return frame;
}

FrameWriter::FrameWriter(std::span<uint8_t> buffer, const Header& header)
    : writer_(buffer.first(buffer.size() < kMaxMessage ? buffer.size() : kMaxMessage)) {
  writer_.U16(static_cast<uint16_t>(header.type));
  writer_.U16(header.version);
  writer_.U32(header.request_id);
  writer_.U32(0);
}

size_t FrameWriter::Finish() {
  if (!writer_.ok()) return 0;
  writer_.PatchU32(kLengthOffset, static_cast<uint32_t>(writer_.size() - kHeaderSize));
  return writer_.size();
}

}  // namespace keybroker::wire
