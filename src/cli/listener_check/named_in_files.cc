#include "cli/listener_check/named_in_files.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "keybroker/base/hex.h"
#include "keybroker/credential/reference_format.h"

namespace keybroker::cli {
namespace {

std::string Trimmed(const std::string& text) {
  constexpr char kBlanks[] = " \t\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

std::string IdOf(const credential::Reference& reference) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(reference.id.data());
  return Hex({bytes, reference.id.size()});
}

}  // namespace

std::string FieldOf(const std::string& text, std::string_view name, char separator) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(separator);
    if (at == std::string::npos || Trimmed(line.substr(0, at)) != name) continue;
    return Trimmed(line.substr(at + 1));
  }
  return {};
}

std::string ProblemOfPath(const std::string& module) {
  if (module.empty()) return "no PKCS#11 module is named";
  if (!module.starts_with('/')) return "module: \"" + module + "\" is not an absolute path";
  return ::access(module.c_str(), F_OK) == 0 ? "" : "PKCS#11 module missing: " + module;
}

std::string ProblemOfUris(std::string_view text, const std::vector<KeyTarget>& targets) {
  const std::string_view head = credential::kReferenceUriHead;
  for (size_t at = text.find(head); at != std::string::npos; at = text.find(head, at + 1)) {
    const std::string uri(text.substr(at, text.find_first_of(" \t\r\n|\"'", at) - at));
    const auto reference = credential::ParseReferenceUri(uri);
    if (!reference) return "malformed URI: " + uri;
    const std::string id = IdOf(*reference);
    if (std::any_of(targets.begin(), targets.end(),
                    [&](const KeyTarget& target) { return target.id_hex == id; })) {
      continue;
    }
    return "it names a key by id " + id +
           ", and that is no current key of this listener: write it again, `keybroker listener "
           "config`";
  }
  return {};
}

}  // namespace keybroker::cli
