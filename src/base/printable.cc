#include "keybroker/base/printable.h"

#include <algorithm>
#include <iterator>

#include "keybroker/base/utf8.h"

namespace keybroker {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode 15 chapter 23: controls, and what has no glyph of its own but an effect on its
// neighbours.
constexpr Range kUnseen[] = {
    {0x0000, 0x001f},    // C0
    {0x007f, 0x009f},    // DEL, C1
    {0x00ad, 0x00ad},    // soft hyphen
    {0x061c, 0x061c},    // Arabic letter mark
    {0x200b, 0x200f},    // zero width, direction marks
    {0x2028, 0x202e},    // line and paragraph separator, embeddings and overrides
    {0x2060, 0x206f},    // word joiner, isolates
    {0xfeff, 0xfeff},    // byte order mark
    {0xfff9, 0xfffb},    // interlinear annotation
    {0xe0000, 0xe007f},  // tags
};

bool IsUnseen(char32_t c) {
  return std::any_of(std::begin(kUnseen), std::end(kUnseen),
                     [c](const Range& range) { return c >= range.first && c <= range.last; });
}

void AppendHex(char32_t value, int least_digits, std::string* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  int digits = least_digits;
  while (digits < 8 && value >> (4 * digits) != 0) ++digits;
  while (digits-- > 0) *out += kDigits[value >> (4 * digits) & 15];
}

}  // namespace

char32_t CodePoint(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first;
  char32_t value = first & (0x7fU >> sequence.size());
  for (const char c : sequence.substr(1)) value = value << 6 | (static_cast<unsigned>(c) & 0x3fU);
  return value;
}

size_t PrintableSequence(std::string_view text) {
  const size_t size = Utf8Sequence(text);
  return size == 0 || IsUnseen(CodePoint(text.substr(0, size))) ? 0 : size;
}

std::string EscapeUnprintable(std::string_view text, std::string_view keep) {
  std::string out;
  while (!text.empty()) {
    const size_t printable =
        keep.find(text[0]) != std::string_view::npos ? 1 : PrintableSequence(text);
    if (printable != 0) {
      out += text.substr(0, printable);
      text.remove_prefix(printable);
      continue;
    }
    const size_t size = Utf8Sequence(text);
    if (size > 1) {
      out += "\\u{";
      AppendHex(CodePoint(text.substr(0, size)), 4, &out);
      out += '}';
    } else {
      out += "\\x";
      AppendHex(static_cast<unsigned char>(text[0]), 2, &out);
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out;
}

}  // namespace keybroker
