#include <cstdio>

#include "keybroker/base/utf8.h"
#include "keybroker/config/toml.h"

namespace keybroker::config {

std::string TomlQuote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    // TOML files are UTF-8: a byte that is not becomes U+FFFD, so that the file can be read again.
    const size_t length = Utf8Sequence(text);
    if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04X", static_cast<unsigned>(byte));
      out += escape;
    } else if (length == 0) {
      out += "\\uFFFD";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
  return out;
}

}  // namespace keybroker::config
