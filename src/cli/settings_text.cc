#include "cli/settings_text.h"

#include "keybroker/config/toml.h"

namespace keybroker::cli {

Status SetOption(std::string& text, std::string_view key, std::string_view value) {
  if (value.empty()) return {};
  const std::string start = "\n" + std::string(key) + " = ";
  const size_t at = text.find(start);
  if (at == std::string::npos || text.find(start, at + 1) != std::string::npos) {
    return Fail(Internal("the default settings have no single line " + std::string(key)));
  }
  const size_t from = at + start.size();
  text.replace(from, text.find('\n', from) - from, config::TomlQuote(value));
  return {};
}

}  // namespace keybroker::cli
