#include "cli/openssl_says.h"

#include <openssl/err.h>

#include <string_view>
#include <utility>

namespace keybroker::cli {
namespace {

constexpr std::string_view kEngine = "keybroker engine";

}  // namespace

std::string OpenSslSays() {
  std::string engine;
  std::string other;
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    const char* library = ERR_lib_error_string(code);
    const char* reason = ERR_reason_error_string(code);
    std::string text = reason != nullptr ? reason : "unknown error";
    if ((flags & ERR_TXT_STRING) != 0 && *data != '\0') text += std::string(": ") + data;
    if (library != nullptr && library == kEngine) {
      engine = std::move(text);
    } else if (other.empty()) {
      other = std::move(text);
    }
  }
  return engine.empty() ? "OpenSSL: " + other : engine;
}

}  // namespace keybroker::cli
