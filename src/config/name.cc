#include "keybroker/config/settings.h"

namespace keybroker::config {

Status CheckName(std::string_view what, std::string_view name) {
  constexpr size_t kMaxLength = 32;
  const std::string subject = "the " + std::string(what) + " name \"" + std::string(name) + "\" ";
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  if (name.empty() || name.size() > kMaxLength) {
    return Fail(Malformed(subject + "must have 1 to 32 characters"));
  }
  if (!is_letter(name[0])) return Fail(Malformed(subject + "must begin with a letter a to z"));
  for (const char c : name) {
    if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-') {
      return Fail(Malformed(subject + "may contain a to z, 0 to 9 and '-' only"));
    }
  }
  if (name == "tokens" || name == "admin") {
    return Fail(Malformed(subject + "is reserved: it names one of keybroker's own sockets"));
  }
  return {};
}

}  // namespace keybroker::config
