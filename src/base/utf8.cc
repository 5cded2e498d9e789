#include "keybroker/base/utf8.h"

namespace keybroker {
namespace {

unsigned At(std::string_view text, size_t i) { return static_cast<unsigned char>(text[i]); }

// The second byte's range is where RFC 3629 section 4 keeps out overlong forms, surrogates and
// what lies above U+10FFFF.
bool SecondFits(unsigned first, unsigned second) {
  switch (first) {
    case 0xe0:
      return second >= 0xa0 && second <= 0xbf;
    case 0xed:
      return second >= 0x80 && second <= 0x9f;
    case 0xf0:
      return second >= 0x90 && second <= 0xbf;
    case 0xf4:
      return second >= 0x80 && second <= 0x8f;
    default:
      return second >= 0x80 && second <= 0xbf;
  }
}

size_t LengthByFirst(unsigned first) {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

}  // namespace

size_t Utf8Sequence(std::string_view text) {
  if (text.empty()) return 0;
  const unsigned first = At(text, 0);
  const size_t length = LengthByFirst(first);
  if (length > text.size()) return 0;
  if (length > 1 && !SecondFits(first, At(text, 1))) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((At(text, i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace keybroker
