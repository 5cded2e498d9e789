#include "backup/foreign/der.h"

namespace keybroker::backup {

std::optional<DerElement> DerReader::Next() {
  truncated_ = rest_.size() < 2;
  if (truncated_) return std::nullopt;
  size_t header = 2;
  size_t length = rest_[1];
  if ((rest_[0] & 0x1f) == 0x1f || length == 0x80) return std::nullopt;
  if (length > 0x80) {
    const size_t digits = length & 0x7f;
    if (digits > 4) return std::nullopt;
    header += digits;
    truncated_ = rest_.size() < header;
    if (truncated_) return std::nullopt;
    length = 0;
    for (size_t i = 2; i < header; ++i) length = length << 8 | rest_[i];
  }
  truncated_ = rest_.size() - header < length;
  if (truncated_) return std::nullopt;
  const DerElement element{rest_[0], rest_.subspan(header, length), rest_.first(header + length)};
  rest_ = rest_.subspan(header + length);
  return element;
}

std::optional<DerElement> DerReader::NextOf(uint8_t tag) {
  truncated_ = rest_.empty();
  if (truncated_ || rest_[0] != tag) return std::nullopt;
  return Next();
}

}  // namespace keybroker::backup
