#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "keybroker/wire/buffer.h"

namespace keybroker::wire {

// kVersion is the protocol version this build speaks, kMinVersion the oldest it still accepts.
inline constexpr uint16_t kVersion = 1;
inline constexpr uint16_t kMinVersion = 1;

// Limits, in bytes or entries. docs/protocol.md lists them; wire_protocol_test holds both together.
inline constexpr size_t kHeaderSize = 12;
inline constexpr size_t kMaxMessage = 200 * 1024;  // below the kernel's 212,960 for SEQPACKET
inline constexpr size_t kMaxSignData = 128 * 1024;
inline constexpr size_t kMaxSignature = 1024;
inline constexpr size_t kMaxName = 255;
inline constexpr size_t kMaxId = 64;
inline constexpr size_t kMaxPublicField = 2048;
inline constexpr size_t kMaxCertificate = 16 * 1024;
inline constexpr size_t kMaxMechanisms = 16;
inline constexpr size_t kMaxText = 190 * 1024;
inline constexpr size_t kMaxPin = 256;
inline constexpr size_t kMaxDetail = 4096;
inline constexpr size_t kKeyRefSize = 32;

// MessageType numbers the messages. A reply's number is its request's plus one.
enum class MessageType : uint16_t {
  kHello = 1,
  kHelloReply = 2,
  kCatalogueRequest = 3,
  kCataloguePage = 4,
  kSignRequest = 5,
  kSignReply = 6,
  kFailure = 7,  // answers any request that could not be done
  kAdminRequest = 16,
  kAdminReply = 17,
  kTokenStatusRequest = 32,
  kTokenStatusReply = 33,
  kUnlockRequest = 34,
  kUnlockReply = 35,
  kBorrowRequest = 36,
  kBorrowReply = 37,
};

// Header starts every message. Layout, 12 bytes: type u16, version u16 (0 in Hello, HelloReply and
// a Failure that answers a Hello), request id u32, length of the body u32, which must be what
// follows.
struct Header {
  MessageType type;
  uint16_t version = kVersion;
  uint32_t request_id = 0;
};

// Frame is a received message, taken apart; body points into the received bytes.
struct Frame {
  Header header;
  Bytes body;
};

// DecodeFrame takes a whole SEQPACKET message apart. Nothing when it is shorter than a header,
// longer than kMaxMessage, of an unknown type, or when its length field is not the body's length.
std::optional<Frame> DecodeFrame(Bytes message);

// FrameWriter writes a header, lets the caller write the body, and fills in the length:
//   FrameWriter frame(buffer, header); Encode(reply, frame.body()); size_t n = frame.Finish();
class FrameWriter {
 public:
  FrameWriter(std::span<uint8_t> buffer, const Header& header);
  Writer& body() { return writer_; }

  // Finish gives the message's whole size in bytes, or 0 when it did not fit.
  size_t Finish();

 private:
  Writer writer_;
};

}  // namespace keybroker::wire
