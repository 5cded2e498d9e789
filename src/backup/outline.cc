#include "backup/outline.h"

#include <cstdint>
#include <optional>
#include <string>

#include "backup/cms/names.h"

namespace keybroker::backup {
namespace {

using namespace std::string_view_literals;

// Header is a DER SEQUENCE's tag and length.
struct Header {
  size_t size;    // of tag and length themselves
  size_t length;  // of the contents
};

// ReadHeader gives nothing when the bytes end within it, or are no SEQUENCE of definite length.
std::optional<Header> ReadHeader(std::string_view bytes) {
  if (bytes.size() < 2 || bytes[0] != 0x30) return std::nullopt;
  const auto first = static_cast<uint8_t>(bytes[1]);
  if (first < 0x80) return Header{2, first};
  const size_t digits = first & 0x7fU;
  if (digits == 0 || digits > 4 || bytes.size() < 2 + digits) return std::nullopt;
  size_t length = 0;
  for (size_t i = 0; i < digits; ++i) length = length << 8 | static_cast<uint8_t>(bytes[2 + i]);
  return Header{2 + digits, length};
}

// BeginsLike compares as far as there are bytes.
bool BeginsLike(std::string_view contents, std::string_view beginning) {
  return contents.substr(0, beginning.size()) == beginning.substr(0, contents.size());
}

// FormatOfContents goes by what follows the outermost header: the version, 3, of PKCS#12, or the
// content type of CMS. A file cut off before they part counts as PKCS#12.
std::optional<FileFormat> FormatOfContents(std::string_view contents) {
  if (BeginsLike(contents, "\x02\x01\x03"sv)) return FileFormat::kPkcs12;
  if (BeginsLike(contents, oid::kSignedData)) return FileFormat::kCms;
  return std::nullopt;
}

}  // namespace

FileResult<FileFormat> CheckOutline(std::string_view bytes) {
  if (bytes.size() > kMaxFile) {
    return FailFile(Defect::kNotABackup, "it is larger than any backup (1 MiB)");
  }
  if (bytes.empty()) return FailFile(Defect::kTruncated, "it is empty");
  const auto header = ReadHeader(bytes);
  if (!header) {
    const bool cut = bytes.size() < 6 && bytes[0] == 0x30;
    if (cut) return FailFile(Defect::kTruncated, "it ends within its first bytes");
    return FailFile(Defect::kNotABackup, "it is no PKCS#12 or CMS file in DER");
  }
  const auto format = FormatOfContents(bytes.substr(header->size));
  if (!format) return FailFile(Defect::kNotABackup, "it is no PKCS#12 file and no signed CMS file");
  const size_t whole = header->size + header->length;
  if (bytes.size() < whole) {
    return FailFile(Defect::kTruncated, "it has " + std::to_string(bytes.size()) + " of " +
                                            std::to_string(whole) + " bytes");
  }
  if (bytes.size() > whole) return FailFile(Defect::kDamaged, "something was put after its end");
  return *format;
}

}  // namespace keybroker::backup
