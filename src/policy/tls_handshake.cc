#include "keybroker/policy/tls_handshake.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace keybroker::policy {
namespace {

using Bytes = std::span<const uint8_t>;

// RFC 8446 section 4.4.3: 64 spaces, a context string, a zero byte, then the transcript hash.
constexpr size_t kPadding = 64;
constexpr std::string_view kServerContext = "TLS 1.3, server CertificateVerify";
constexpr size_t kTranscriptSizes[] = {32, 48};

bool IsCertificateVerify(Bytes message) {
  const size_t fixed = kPadding + kServerContext.size() + 1;
  const bool sized = std::any_of(std::begin(kTranscriptSizes), std::end(kTranscriptSizes),
                                 [&](size_t size) { return message.size() == fixed + size; });
  if (!sized) return false;
  const Bytes context = message.subspan(kPadding, kServerContext.size());
  return std::all_of(message.begin(), message.begin() + kPadding,
                     [](uint8_t byte) { return byte == ' '; }) &&
         std::equal(context.begin(), context.end(), kServerContext.begin()) &&
         message[fixed - 1] == 0;
}

// A named group's public value: its size, and the first byte where the form has one.
struct Group {
  uint16_t id;
  uint8_t point_size;
  bool uncompressed;  // SEC 1 section 2.3.3: the point begins with 4
};

// RFC 8422 section 5.1.1: secp256r1, secp384r1, secp521r1, x25519, x448.
constexpr Group kGroups[] = {
    {23, 65, true}, {24, 97, true}, {25, 133, true}, {29, 32, false}, {30, 56, false}};

// RFC 8422 section 5.4: client_random, server_random, curve_type named_curve, group, point.
bool IsServerKeyExchange(Bytes message) {
  constexpr size_t kRandoms = 64;
  constexpr size_t kFixed = kRandoms + 4;
  constexpr uint8_t kNamedCurve = 3;
  if (message.size() <= kFixed || message[kRandoms] != kNamedCurve) return false;
  const uint16_t id = static_cast<uint16_t>(message[kRandoms + 1] << 8 | message[kRandoms + 2]);
  const auto* group = std::find_if(std::begin(kGroups), std::end(kGroups),
                                   [&](const Group& g) { return g.id == id; });
  if (group == std::end(kGroups)) return false;
  return message[kRandoms + 3] == group->point_size &&
         message.size() == kFixed + group->point_size &&
         (!group->uncompressed || message[kFixed] == 4);
}

// The length that the DER header at the start of bytes announces for the whole value (X.690 section
// 8.1.3); nothing when it is no definite length of up to two bytes, as a message here has.
std::optional<size_t> AnnouncedSize(Bytes bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const uint8_t first = bytes[1];
  if (first < 0x80) return size_t{2} + first;
  if (first == 0x81 && bytes.size() >= 3) return size_t{3} + bytes[2];
  if (first == 0x82 && bytes.size() >= 4) return size_t{4} + (size_t{bytes[2]} << 8 | bytes[3]);
  return std::nullopt;
}

// The randoms are the caller's to choose: without this they could be the head of a request.
bool IsOneDerValue(Bytes message) {
  constexpr uint8_t kSequence = 0x30;
  constexpr uint8_t kSet = 0x31;
  if (message.empty() || (message[0] != kSequence && message[0] != kSet)) return false;
  return AnnouncedSize(message) == message.size();
}

}  // namespace

bool IsTlsHandshakeMessage(std::span<const uint8_t> message) {
  return IsCertificateVerify(message) || (IsServerKeyExchange(message) && !IsOneDerValue(message));
}

}  // namespace keybroker::policy
