#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keybroker/token/session.h"

namespace keybroker::backup {

// Tags beside those of foreign/der.h.
inline constexpr uint8_t kDerUtf8String = 0x0c;
inline constexpr uint8_t kDerSet = 0x31;
inline constexpr uint8_t kDerContext0 = 0xa0;           // [0], constructed
inline constexpr uint8_t kDerContext1 = 0xa1;           // [1], constructed
inline constexpr uint8_t kDerContext0Primitive = 0x80;  // [0] IMPLICIT of a string

// Der is one element in DER (X.690): tag, shortest length, contents.
std::string Der(uint8_t tag, std::string_view contents);

// DerSetOf is a SET OF: its elements in ascending order (X.690 section 11.6).
std::string DerSetOf(uint8_t tag, std::vector<std::string> elements);

inline std::string_view TextOf(token::Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline token::Bytes BytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace keybroker::backup
