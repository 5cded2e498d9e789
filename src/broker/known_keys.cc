#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "broker/token_gate.h"
#include "broker/unknown_keys.h"
#include "broker/view.h"
#include "keybroker/base/hex.h"

namespace keybroker::broker {
namespace {

using NameAndType = std::pair<std::string, cryptoki::KeyType>;

std::string Described(const NameAndType& of) {
  return std::string(cryptoki::KeyTypeName(of.second)) + " key of " + of.first;
}

// Gather takes every key once: a key on two tokens is served by the first.
std::vector<KnownKey> Gather(const std::vector<TokenKeys>& tokens,
                             std::vector<std::string>& warnings) {
  std::vector<KnownKey> keys;
  std::set<wire::KeyRef> seen;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].catalogue == nullptr) continue;
    for (const TokenKey& key : tokens[i].catalogue->keys) {
      if (seen.insert(key.ref).second) {
        keys.push_back({&key, i, false});
      } else {
        warnings.push_back("the key " + Hex(key.id) + " of " + key.name +
                           " is there twice; that on token " + tokens[i].gate->name() +
                           " is not used");
      }
    }
  }
  return keys;
}

// MarkCurrent decides for the keys of one name and type.
void MarkCurrent(const NameAndType& of, const std::vector<KnownKey*>& keys,
                 const policy::CurrentKeys& current, const std::string& unknown,
                 std::vector<std::string>& warnings) {
  const auto named = current.ids.find(of);
  if (named == current.ids.end()) {
    if (keys.size() == 1) {
      keys.front()->current = true;
    } else {
      warnings.push_back("there are " + std::to_string(keys.size()) +
                         " keys, and none is named current: " + Described(of) +
                         "; they are found by id only; name one in current.toml");
    }
    return;
  }
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const KnownKey* known) {
    return Hex(known->key->id) == named->second;
  });
  if (found != keys.end()) {
    (*found)->current = true;
  } else {
    const std::string what =
        "current.toml names " + named->second + " as the " + Described(of) + ", which is ";
    warnings.push_back(
        what + (unknown.empty() ? "on no token" : "on no token that can be read; " + unknown));
  }
}

}  // namespace

std::vector<KnownKey> AllKeys(const std::vector<TokenKeys>& tokens,
                              const policy::CurrentKeys& current,
                              std::vector<std::string>& warnings) {
  std::vector<KnownKey> keys = Gather(tokens, warnings);
  std::map<NameAndType, std::vector<KnownKey*>> by_name;
  for (KnownKey& known : keys) by_name[{known.key->name, known.key->type}].push_back(&known);
  const std::string unknown = WhyKeysAreUnknown(tokens);
  for (const auto& [of, id] : current.ids) {
    // A token that was not read yet, or is locked, is another warning than a key that is gone.
    if (!by_name.contains(of) && unknown.empty()) by_name[of];
  }
  for (const auto& [of, group] : by_name) MarkCurrent(of, group, current, unknown, warnings);
  std::sort(keys.begin(), keys.end(), [](const KnownKey& a, const KnownKey& b) {
    return std::tie(a.key->name, a.key->type, b.current, a.key->id) <
           std::tie(b.key->name, b.key->type, a.current, b.key->id);
  });
  return keys;
}

}  // namespace keybroker::broker
