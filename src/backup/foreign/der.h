#pragma once

#include <cstdint>
#include <optional>

#include "keybroker/token/session.h"

namespace keybroker::backup {

// Tags of DER elements (X.690 section 8.1.2) that key files begin with.
inline constexpr uint8_t kDerInteger = 0x02;
inline constexpr uint8_t kDerOctetString = 0x04;
inline constexpr uint8_t kDerNull = 0x05;
inline constexpr uint8_t kDerOid = 0x06;
inline constexpr uint8_t kDerSequence = 0x30;

// DerElement is one element; both views are of the bytes that were read.
struct DerElement {
  uint8_t tag = 0;
  token::Bytes contents;
  token::Bytes whole;
};

// DerReader takes elements of one-byte tags and definite lengths off the front of bytes, which may
// be hostile and must outlive it.
class DerReader {
 public:
  explicit DerReader(token::Bytes bytes) : rest_(bytes) {}

  // Next gives the next element, or nothing: of another form, or cut off (truncated()).
  std::optional<DerElement> Next();
  // NextOf gives it when it has the tag; nothing else is taken.
  std::optional<DerElement> NextOf(uint8_t tag);

  bool AtEnd() const { return rest_.empty(); }
  bool truncated() const { return truncated_; }

 private:
  token::Bytes rest_;
  bool truncated_ = false;
};

}  // namespace keybroker::backup
