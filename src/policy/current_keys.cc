#include "keybroker/policy/current_keys.h"

#include "keybroker/base/hex.h"
#include "keybroker/config/toml.h"
#include "keybroker/policy/listener.h"

namespace keybroker::policy {
namespace {

using cryptoki::KeyType;

constexpr size_t kMaxIdDigits = 128;  // CKA_ID of 64 bytes, the most the protocol carries

bool IsId(const std::string& text) {
  if (text.empty() || text.size() > kMaxIdDigits) return false;
  const auto bytes = ParseHex(text);
  return bytes && Hex(*bytes) == text;  // one spelling only: lower case
}

void ReadName(const config::TomlSection& section, const std::string& name, CurrentKeys* current) {
  for (const KeyType type : {KeyType::kRsa, KeyType::kEc}) {
    const std::string_view key = cryptoki::KeyTypeName(type);
    const auto id = section.OptionalString(key);
    if (!id) continue;
    if (IsId(*id)) {
      current->ids[{name, type}] = *id;
    } else {
      section.Complain(key, "must be a CKA_ID in lower-case hexadecimal, 1 to 64 bytes");
    }
  }
}

}  // namespace

Result<CurrentKeys> ParseCurrentKeys(std::string_view text, std::string_view file) {
  KB_ASSIGN(const config::TomlFile toml, config::TomlFile::Parse(text, file));
  CurrentKeys current;
  for (const std::string& name : toml.root().Keys()) {
    if (const Status checked = CheckKeyName(name); !checked) {
      toml.root().Complain(name, checked.error().detail);
    }
    ReadName(toml.root().Table(name), name, &current);
  }
  KB_TRY(toml.Check());
  return current;
}

std::string FormatCurrentKeys(const CurrentKeys& current) {
  std::string text =
      "# Which key of several generations is current: CKA_ID per key name and type. Written by\n"
      "# keybroker; a name that is not here has as its current key the only one there is.\n";
  const std::string* last = nullptr;
  for (const auto& [pair, id] : current.ids) {
    if (last == nullptr || *last != pair.first) {
      text += "\n[" + config::TomlQuote(pair.first) + "]\n";
    }
    last = &pair.first;
    text += std::string(cryptoki::KeyTypeName(pair.second)) + " = " + config::TomlQuote(id) + "\n";
  }
  return text;
}

}  // namespace keybroker::policy
