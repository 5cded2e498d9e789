#pragma once

#include <string.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace keybroker::wire {

using Bytes = std::span<const uint8_t>;

// AsBytes views text as bytes; AsText the reverse.
inline Bytes AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Writer appends fields to a caller's buffer, integers in network byte order. A field that does
// not fit writes nothing and leaves the Writer failed for good: callers check ok() once, at the
// end.
class Writer {
 public:
  explicit Writer(std::span<uint8_t> buffer) : buffer_(buffer) {}

  void U8(uint8_t value) { Integer(value, 1); }
  void U16(uint16_t value) { Integer(value, 2); }
  void U32(uint32_t value) { Integer(value, 4); }
  void U64(uint64_t value) { Integer(value, 8); }
  void Raw(Bytes bytes);

  // Var8, Var16, Var32 write a length of 1, 2 or 4 bytes and then the bytes.
  void Var8(Bytes bytes) { Var(bytes, 1); }
  void Var16(Bytes bytes) { Var(bytes, 2); }
  void Var32(Bytes bytes) { Var(bytes, 4); }

  // PatchU32 overwrites four bytes written earlier at offset.
  void PatchU32(size_t offset, uint32_t value);

  bool ok() const { return ok_; }
  size_t size() const { return size_; }
  Bytes written() const { return {buffer_.data(), size_}; }

 private:
  void Integer(uint64_t value, size_t width);
  void Var(Bytes bytes, size_t width);

  std::span<uint8_t> buffer_;
  size_t size_ = 0;
  bool ok_ = true;
};

// Reader takes fields off received bytes. A field that is not wholly there reads as zero or empty
// and leaves the Reader failed for good. Bytes it returns point into the buffer.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  uint8_t U8() { return static_cast<uint8_t>(Integer(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Integer(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Integer(4)); }
  uint64_t U64() { return Integer(8); }
  Bytes Raw(size_t size);

  // Var8, Var16, Var32 read a length and that many bytes; a length over limit is a failure.
  Bytes Var8(size_t limit) { return Var(1, limit); }
  Bytes Var16(size_t limit) { return Var(2, limit); }
  Bytes Var32(size_t limit) { return Var(4, limit); }

  // Fail marks the message as wrong, for values that are read well but not allowed.
  void Fail() { ok_ = false; }

  bool ok() const { return ok_; }
  size_t left() const { return bytes_.size() - position_; }

  // Done is true when every field was there, and nothing is left over.
  bool Done() const { return ok_ && left() == 0; }

 private:
  uint64_t Integer(size_t width);
  Bytes Var(size_t width, size_t limit);

  Bytes bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace keybroker::wire
