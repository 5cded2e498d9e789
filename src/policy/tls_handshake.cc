#include "keybroker/policy/tls_handshake.h"

#include <algorithm>
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

bool IsText(uint8_t byte) { return (byte >= ' ' && byte <= '~') || (byte >= '\t' && byte <= '\r'); }

// RFC 8422 section 5.4: client_random, server_random, curve_type named_curve, group, point.
bool IsServerKeyExchange(Bytes message) {
  constexpr size_t kRandoms = 64;
  constexpr size_t kFixed = kRandoms + 4;
  constexpr uint8_t kNamedCurve = 3;
  if (message.size() <= kFixed || message[kRandoms] != kNamedCurve) return false;
  // 64 random bytes are no text: what begins with so much of it is another format's message.
  if (std::all_of(message.begin(), message.begin() + kRandoms, IsText)) return false;
  const uint16_t id = static_cast<uint16_t>(message[kRandoms + 1] << 8 | message[kRandoms + 2]);
  const auto* group = std::find_if(std::begin(kGroups), std::end(kGroups),
                                   [&](const Group& g) { return g.id == id; });
  if (group == std::end(kGroups)) return false;
  return message[kRandoms + 3] == group->point_size &&
         message.size() == kFixed + group->point_size &&
         (!group->uncompressed || message[kFixed] == 4);
}

// Cursor reads a BER header; past the end it reads zeros and remembers.
struct Cursor {
  Bytes bytes;
  size_t at = 0;

  uint8_t Next() { return at < bytes.size() ? bytes[at++] : (++at, uint8_t{0}); }
  bool ok() const { return at <= bytes.size(); }
};

// X.690 section 8.1.2: a universal constructed SEQUENCE or SET, in the low or the high form.
bool IsSequenceOrSet(Cursor& cursor) {
  constexpr uint8_t kUniversalConstructed = 0x20;
  const uint8_t first = cursor.Next();
  if ((first & 0xe0) != kUniversalConstructed) return false;
  size_t number = first & 0x1fU;
  if (number == 0x1f) {
    number = 0;
    uint8_t septet = 0x80;
    while (septet >= 0x80 && cursor.ok() && number < 0x100) {
      septet = cursor.Next();
      number = number << 7 | (septet & 0x7fU);
    }
  }
  return number == 16 || number == 17;
}

// X.690 section 8.1.3, as lenient parsers read it: leading zeros in a long length, and no length.
bool EndsWithMessage(Cursor& cursor) {
  const uint8_t first = cursor.Next();
  const Bytes all = cursor.bytes;
  if (first == 0x80) return all.size() >= 2 && all[all.size() - 1] == 0 && all[all.size() - 2] == 0;
  size_t length = first;
  if (first > 0x80) {
    length = 0;
    for (int left = first & 0x7f; left > 0 && cursor.ok() && length <= all.size(); --left) {
      length = length << 8 | cursor.Next();
    }
  }
  return cursor.ok() && cursor.at + length == all.size();
}

// The randoms are the caller's to choose: without this they could be the head of a request. BER and
// not only DER, because OpenSSL reads a request in either and verifies it as it stands.
bool IsOneBerValue(Bytes message) {
  Cursor cursor{message};
  return IsSequenceOrSet(cursor) && EndsWithMessage(cursor);
}

}  // namespace

bool IsTlsHandshakeMessage(std::span<const uint8_t> message) {
  return IsCertificateVerify(message) || (IsServerKeyExchange(message) && !IsOneBerValue(message));
}

}  // namespace keybroker::policy
