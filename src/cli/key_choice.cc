#include "cli/key_choice.h"

#include "cli/answer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/nearest.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {
namespace {

using cryptoki::KeyType;
using cryptoki::KeyTypeName;

constexpr size_t kMostListed = 8;

// KeysNamed lists the token's keys of one name, the first few of them.
std::string KeysNamed(const token::KeyList& keys, const std::string& name) {
  std::string text;
  size_t count = 0;
  for (const auto& key : keys.keys) {
    if (key.label != name) continue;
    if (++count <= kMostListed) text += (text.empty() ? "" : "; ") + Describe(key);
  }
  if (count <= kMostListed) return text;
  return text + "; and " + std::to_string(count - kMostListed) + " more";
}

// WhatThereIs is the keys of that name, or of the nearest one, and how many there are in all: a
// token may have thousands.
std::string WhatThereIs(const token::KeyList& keys, const std::string& name) {
  const size_t count = keys.keys.size();
  if (count == 0) return "the token has no key that keybroker can serve";
  std::vector<std::string> names;
  for (const auto& key : keys.keys) names.push_back(key.label);
  const std::string same = KeysNamed(keys, name);
  const std::string near = same.empty() ? Nearest(name, names) : std::string();
  std::string text;
  if (!same.empty()) text = "of that name the token has " + same + ". ";
  if (!near.empty()) text = "did you mean " + KeysNamed(keys, near) + "? ";
  return text + (count == 1 ? "There is 1 key" : "There are " + std::to_string(count) + " keys") +
         " on the token: `keybroker key list`";
}

Error NoSuchKey(const token::KeyList& keys, const KeyWish& wish) {
  std::string what = "there is no ";
  if (wish.type) what += std::string(KeyTypeName(*wish.type)) + " ";
  what += "key " + wish.name;
  if (!wish.id.empty()) {
    return NotFound(what + " with the id " + wish.id + ": " + WhatThereIs(keys, wish.name) +
                    ". An id is given whole, as `keybroker key show " + ShellQuote(wish.name) +
                    "` prints it");
  }
  return NotFound(what + ": " + WhatThereIs(keys, wish.name) + ". `keybroker key generate " +
                  ShellQuote(wish.name) +
                  (wish.type ? " --type " + std::string(KeyTypeName(*wish.type)) : std::string()) +
                  "` makes one");
}

}  // namespace

Result<KeyType> ParseType(std::string_view text) {
  if (const auto type = cryptoki::ParseKeyType(text)) return *type;
  if (text == "ed25519" || text == "Ed25519" || text == "ed448") {
    return Fail(WrongUsage(
        "Ed25519 keys are not made here: one Ed25519 private key that libp11 0.4.12 can see makes "
        "it refuse every other key of the token, and with it most listeners of Debian 12. Use "
        "--type ec (P-256)"));
  }
  return Fail(WrongUsage("\"" + std::string(text) + "\" is not a key type: rsa or ec"));
}

Result<KeyWish> MakeWish(const std::string& name, const std::string& type, const std::string& id) {
  KB_TRY(policy::CheckKeyName(name));
  KeyWish wish{name, std::nullopt, ""};
  if (!type.empty()) {
    KB_ASSIGN(wish.type, ParseType(type));
  }
  if (!id.empty()) {
    const auto bytes = ParseHex(id);
    if (!bytes) {
      return Fail(Malformed("the id \"" + id +
                            "\" is no CKA_ID in hexadecimal, as `keybroker key " +
                            "list` shows it: " + bytes.error().detail));
    }
    wish.id = Hex(*bytes);
  }
  return wish;
}

Result<policy::CurrentKeys> LoadCurrent(const config::Settings& settings) {
  const auto text = ReadFile(settings.current_file);
  if (!text && text.error().code == ErrorCode::kNotFound) return policy::CurrentKeys{};
  KB_TRY(text);
  return policy::ParseCurrentKeys(*text, settings.current_file.string());
}

Status StoreCurrent(const config::Settings& settings, const policy::CurrentKeys& current) {
  const std::string text = policy::FormatCurrentKeys(current);
  // Whatever a token's process called a key: what would not be read stops every later command.
  KB_TRY(policy::ParseCurrentKeys(text, settings.current_file.string()));
  return WriteFileAtomically(settings.current_file, text);
}

bool IsCurrent(const token::KeyList& keys, const policy::CurrentKeys& current,
               const token::KeyPair& key) {
  const auto listed = current.ids.find({key.label, key.type});
  if (listed != current.ids.end()) return listed->second == Hex(key.id);
  return std::count_if(keys.keys.begin(), keys.keys.end(), [&](const token::KeyPair& other) {
           return other.label == key.label && other.type == key.type;
         }) == 1;
}

Result<const token::KeyPair*> PickKey(const token::KeyList& keys,
                                      const policy::CurrentKeys& current, const KeyWish& wish) {
  std::vector<const token::KeyPair*> fitting;
  bool any = false;
  for (const auto& key : keys.keys) {
    if (key.label != wish.name || (wish.type && key.type != *wish.type)) continue;
    if (!wish.id.empty() && Hex(key.id) != wish.id) continue;
    any = true;
    if (wish.id.empty() && !IsCurrent(keys, current, key)) continue;
    fitting.push_back(&key);
  }
  if (fitting.size() == 1) return fitting.front();
  if (!any) return Fail(NoSuchKey(keys, wish));
  if (fitting.empty()) {
    const std::string type = wish.type ? std::string(KeyTypeName(*wish.type)) + " " : "";
    return Fail(Conflict("the current " + type + "key of " + wish.name +
                         " is none of those on the token (" + KeysNamed(keys, wish.name) +
                         "): name one with --id, or choose with `keybroker key "
                         "current " +
                         ShellQuote(wish.name) + " --id ID`"));
  }
  return Fail(Malformed(wish.name + " has an RSA and an EC key: say which with --type"));
}

std::string Describe(const token::KeyPair& key) {
  return key.label + " (" + std::string(KeyTypeName(key.type)) + ", id " + Hex(key.id) + ")";
}

Json KeyJson(const token::KeyPair& key, bool is_current) {
  Json json{{"name", key.label},          {"type", KeyTypeName(key.type)},
            {"bits", key.bits},           {"id", Hex(key.id)},
            {"current", is_current},      {"exportable", key.extractable},
            {"sensitive", key.sensitive}, {"mechanisms", Json::array()}};
  for (const auto mechanism : key.mechanisms) {
    json["mechanisms"].push_back(cryptoki::MechanismName(mechanism));
  }
  json["spki"] = Hex(key.spki);
  json["spki_sha256"] = Hex(key.spki_sha256);
  json["certificate"] = nullptr;
  if (const auto certificate = credential::ParseCertificate(key.certificate)) {
    json["certificate"] = Json{{"subject", certificate->subject},
                               {"issuer", certificate->issuer},
                               {"not_before", credential::FormatTime(certificate->not_before)},
                               {"not_after", credential::FormatTime(certificate->not_after)},
                               {"dns_names", certificate->dns_names}};
  }
  return json;
}

}  // namespace keybroker::cli
