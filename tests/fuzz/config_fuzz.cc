// Settings, listener and current.toml: no text crashes the reader; a complaint always names file
// and line; and what is accepted is written so that it is read again as the same. Input: the text;
// its first byte says which of the three it is.
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/current_keys.h"
#include "keybroker/policy/listener.h"

namespace {

using namespace keybroker;
using test::Require;

// Explained holds for a failure of every kind of file: it begins with file and line.
void Explained(const Error& error, std::string_view file) {
  Require(error.code == ErrorCode::kMalformed);
  const std::string head = std::string(file) + ":";
  Require(error.detail.starts_with(head) && error.detail.size() > head.size());
  Require(error.detail[head.size()] >= '1' && error.detail[head.size()] <= '9');
}

void Settings(std::string_view text) {
  const auto settings = config::ParseSettings(text, "/e/k.toml");
  if (!settings) return Explained(settings.error(), "/e/k.toml");
  Require(settings->runtime_dir.is_absolute() && settings->listeners_dir.is_absolute());
  Require(settings->workers >= 1 && settings->workers <= 64);
}

void Listener(std::string_view text) {
  const auto listener = policy::ParseListener(text, "/l/https.toml");
  if (!listener) return Explained(listener.error(), "/l/https.toml");
  Require(listener->name == "https" && !listener->users.empty());
  const std::string written = policy::FormatListener(*listener);
  const auto again = policy::ParseListener(written, "/l/https.toml");
  Require(again.has_value() && policy::FormatListener(*again) == written);
  Require(again->users == listener->users && again->mode == listener->mode);
  Require(again->bindings.size() == listener->bindings.size());
  for (size_t i = 0; i < again->bindings.size(); ++i) {
    Require(again->bindings[i].key == listener->bindings[i].key);
    Require(again->bindings[i].permitted == listener->bindings[i].permitted);
  }
}

void Current(std::string_view text) {
  const auto keys = policy::ParseCurrentKeys(text, "/c.toml");
  if (!keys) return Explained(keys.error(), "/c.toml");
  const auto again = policy::ParseCurrentKeys(policy::FormatCurrentKeys(*keys), "/c.toml");
  Require(again.has_value() && again->ids == keys->ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  switch (bytes[0] % 3) {
    case 0:
      Settings(text);
      break;
    case 1:
      Listener(text);
      break;
    default:
      Current(text);
  }
  return 0;
}
