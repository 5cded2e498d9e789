#include "cli/bound_keys.h"

#include <algorithm>
#include <set>

#include "cli/backup_standing.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

// Fits tells whether the operator's choice leaves the binding in.
bool Fits(const policy::Binding& binding, const std::string& key,
          std::optional<cryptoki::KeyType> type) {
  if (!key.empty() && binding.key != key) return false;
  return !type || !binding.type || *type == *binding.type;
}

Error NothingBound(const policy::Listener& listener, const std::string& key) {
  std::set<std::string> names;
  for (const auto& binding : listener.bindings) names.insert(binding.key);
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return NotFound("the listener \"" + listener.name + "\" is bound to " +
                  (all.empty() ? "no key" : all + " only, or not by that type") +
                  ": `keybroker listener bind " + listener.name + " " +
                  (key.empty() ? "KEY" : ShellQuote(key)) + "`");
}

// WaysBack is what brings back those of the listener's keys that a backup is on record of.
std::string WaysBack(const config::Settings& settings, const policy::Listener& listener,
                     const std::string& key, std::optional<cryptoki::KeyType> type) {
  std::set<std::string> ways;
  for (const auto& binding : listener.bindings) {
    if (!Fits(binding, key, type)) continue;
    const std::string way = WayBack(settings, binding.key, binding.type ? binding.type : type);
    if (!way.empty()) ways.insert(way);
  }
  std::string text;
  for (const std::string& way : ways) text += (text.empty() ? "" : "; ") + way;
  return text;
}

Error NoSuchKey(const policy::Listener& listener, const std::string& names,
                const std::string& ways_back) {
  if (!ways_back.empty()) {
    return NotFound("the listener \"" + listener.name + "\" is bound to " + names +
                    ", and the key is not there; a backup is on record: " + ways_back);
  }
  return NotFound("the listener \"" + listener.name + "\" is bound to " + names +
                  ", and keybroker knows no such key: `keybroker key current` makes one that is on "
                  "the token known (`keybroker key list` shows them), `keybroker key generate` "
                  "makes one where there is none");
}

}  // namespace

Result<std::vector<KeyTarget>> BoundKeys(const config::Settings& settings,
                                         const policy::Listener& listener, const std::string& key,
                                         const std::string& type) {
  std::optional<cryptoki::KeyType> wanted;
  if (!type.empty()) {
    KB_ASSIGN(wanted, ParseType(type));
  }
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  std::vector<KeyTarget> targets;
  std::string names;
  for (const auto& binding : listener.bindings) {
    if (!Fits(binding, key, wanted)) continue;
    names += (names.empty() ? "" : ", ") + binding.key;
    const KeyWish wish{binding.key, binding.type ? binding.type : wanted, ""};
    for (auto& target : KnownTargets(current, wish)) {
      const bool there = std::any_of(targets.begin(), targets.end(), [&](const KeyTarget& other) {
        return other.name == target.name && other.type == target.type;
      });
      if (!there) targets.push_back(std::move(target));
    }
  }
  if (!targets.empty()) return targets;
  return Fail(names.empty()
                  ? NothingBound(listener, key)
                  : NoSuchKey(listener, names, WaysBack(settings, listener, key, wanted)));
}

std::string KeyNames(const std::vector<KeyTarget>& targets) {
  std::set<std::string> names;
  for (const auto& target : targets) names.insert(target.name);
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace keybroker::cli
