#include "module/certificate_fields.h"

namespace keybroker::module {
namespace {

constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kSequence = 0x30;
constexpr uint8_t kVersion = 0xa0;  // [0] EXPLICIT

// Der takes elements off a DER encoding (X.690 section 8.1, definite and shortest lengths only).
class Der {
 public:
  explicit Der(wire::Bytes bytes) : reader_(bytes), bytes_(bytes) {}

  struct Element {
    wire::Bytes whole;
    wire::Bytes content;
  };

  // Take gives the next element, which must have that tag.
  std::optional<Element> Take(uint8_t tag) {
    const size_t start = position();
    if (reader_.U8() != tag) return std::nullopt;
    const std::optional<size_t> size = Length();
    if (!size) return std::nullopt;
    const wire::Bytes content = reader_.Raw(*size);
    if (!reader_.ok()) return std::nullopt;
    return Element{bytes_.subspan(start, position() - start), content};
  }

  bool NextIs(uint8_t tag) const { return reader_.left() > 0 && bytes_[position()] == tag; }
  bool empty() const { return reader_.left() == 0; }

 private:
  size_t position() const { return bytes_.size() - reader_.left(); }

  std::optional<size_t> Length() {
    const uint8_t first = reader_.U8();
    if (first < 0x80) return first;
    const int width = first & 0x7f;
    if (width == 0 || width > 3) return std::nullopt;
    size_t size = 0;
    for (int i = 0; i < width; ++i) size = size << 8 | reader_.U8();
    const bool shortest = size >= 0x80 && size >> (8 * (width - 1)) != 0;
    if (!reader_.ok() || !shortest) return std::nullopt;
    return size;
  }

  wire::Reader reader_;
  wire::Bytes bytes_;
};

}  // namespace

std::optional<CertificateFields> ReadCertificateFields(wire::Bytes bytes) {
  Der outer(bytes);
  const auto certificate = outer.Take(kSequence);
  if (!certificate || !outer.empty()) return std::nullopt;
  Der signed_part(certificate->content);
  const auto to_be_signed = signed_part.Take(kSequence);
  if (!to_be_signed) return std::nullopt;

  Der fields(to_be_signed->content);
  if (fields.NextIs(kVersion) && !fields.Take(kVersion)) return std::nullopt;
  const auto serial_number = fields.Take(kInteger);
  if (!serial_number || serial_number->content.empty()) return std::nullopt;
  const auto algorithm = fields.Take(kSequence);
  if (!algorithm) return std::nullopt;
  const auto issuer = fields.Take(kSequence);
  if (!issuer) return std::nullopt;
  const auto validity = fields.Take(kSequence);
  if (!validity) return std::nullopt;
  const auto subject = fields.Take(kSequence);
  if (!subject) return std::nullopt;
  const auto public_key = fields.Take(kSequence);
  if (!public_key) return std::nullopt;
  return CertificateFields{serial_number->whole, issuer->whole, subject->whole};
}

}  // namespace keybroker::module
