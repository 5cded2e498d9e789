#include "keybroker/wire/buffer.h"

namespace keybroker::wire {

void Writer::Raw(Bytes bytes) {
  if (!ok_ || bytes.size() > buffer_.size() - size_) {
    ok_ = false;
    return;
  }
  if (!bytes.empty()) memcpy(buffer_.data() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void Writer::Integer(uint64_t value, size_t width) {
  uint8_t bytes[8];
  for (size_t i = 0; i < width; ++i) {
    bytes[i] = static_cast<uint8_t>(value >> (8 * (width - 1 - i)));
  }
  Raw({bytes, width});
}

void Writer::Var(Bytes bytes, size_t width) {
  // Length and bytes go together or not at all.
  const bool length_fits = bytes.size() < (uint64_t{1} << (8 * width));
  if (!ok_ || !length_fits || buffer_.size() - size_ < width ||
      buffer_.size() - size_ - width < bytes.size()) {
    ok_ = false;
    return;
  }
  Integer(bytes.size(), width);
  Raw(bytes);
}

void Writer::PatchU32(size_t offset, uint32_t value) {
  if (size_ < 4 || offset > size_ - 4) {
    ok_ = false;
    return;
  }
  for (size_t i = 0; i < 4; ++i) buffer_[offset + i] = static_cast<uint8_t>(value >> (8 * (3 - i)));
}

Bytes Reader::Raw(size_t size) {
  if (!ok_ || size > left()) {
    ok_ = false;
    return {};
  }
  const Bytes bytes = bytes_.subspan(position_, size);
  position_ += size;
  return bytes;
}

uint64_t Reader::Integer(size_t width) {
  uint64_t value = 0;
  for (const uint8_t byte : Raw(width)) value = value << 8 | byte;
  return value;
}

Bytes Reader::Var(size_t width, size_t limit) {
  const uint64_t size = Integer(width);
  if (!ok_ || size > limit) {
    ok_ = false;
    return {};
  }
  return Raw(static_cast<size_t>(size));
}

}  // namespace keybroker::wire
