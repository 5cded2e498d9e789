#include "backup/cms/der_text.h"

#include <algorithm>

namespace keybroker::backup {

std::string Der(uint8_t tag, std::string_view contents) {
  std::string length;
  for (size_t rest = contents.size(); rest > 0; rest >>= 8) {
    length.insert(length.begin(), static_cast<char>(rest & 0xff));
  }
  if (contents.size() < 0x80) {
    length = static_cast<char>(contents.size());
  } else {
    length.insert(length.begin(), static_cast<char>(0x80 | length.size()));
  }
  return static_cast<char>(tag) + length + std::string(contents);
}

std::string DerSetOf(uint8_t tag, std::vector<std::string> elements) {
  // char_traits<char> compares as unsigned bytes.
  std::sort(elements.begin(), elements.end());
  std::string contents;
  for (const std::string& each : elements) contents += each;
  return Der(tag, contents);
}

}  // namespace keybroker::backup
