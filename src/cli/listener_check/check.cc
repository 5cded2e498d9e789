#include "cli/listener_check/check.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <system_error>
#include <utility>

#include "cli/key_choice.h"
#include "cli/layout.h"
#include "cli/listener_check/handshake.h"
#include "cli/rewrite.h"

namespace keybroker::cli {
namespace {

// ServerName is what a client asks for; of a wildcard's names, one.
std::string ServerName(const Plan& plan, const KeyTarget& target) {
  if (!plan.name.empty()) return plan.name;
  return target.name.starts_with("*.") ? "keybroker-check" + target.name.substr(1) : target.name;
}

// FindKey looks an id up among the current keys, the chains of other generations, and the broker's
// keys.
std::optional<KeyTarget> FindKey(const config::Settings& settings, const Json& status,
                                 const KeyTarget& target, const std::string& id) {
  if (const auto current = LoadCurrent(settings)) {
    for (const auto& [entry, known] : current->ids) {
      if (known == id) return KeyTarget{entry.first, entry.second, id};
    }
  }
  std::error_code error;
  if (std::filesystem::exists(ChainFile(settings, target.name, target.type, id), error)) {
    return KeyTarget{target.name, target.type, id};
  }
  const auto keys = status.find("keys");
  if (keys == status.end() || !keys->is_array()) return std::nullopt;
  for (const Json& key : *keys) {
    const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
    if (GetText(key, "id") == id && type) return KeyTarget{GetText(key, "name"), *type, id};
  }
  return std::nullopt;
}

// A server with one key cannot answer for the other type: that alone is no fault.
void ForgiveTheOtherType(std::vector<Shown>& all) {
  for (Shown& one : all) {
    const bool other_works = std::any_of(all.begin(), all.end(), [&](const Shown& other) {
      return other.target.type != one.target.type && other.verdict.word == "ok";
    });
    if (one.verdict.word != FaultWord(Fault::kRefused) || !other_works) continue;
    one.verdict = {true, "one-key", "this kind of server serves one key, and it is the other"};
  }
}

}  // namespace

Check::Check(const config::Settings& settings, const policy::Listener& listener, const Plan& plan)
    : settings_(settings),
      listener_(listener),
      plan_(plan),
      broker_(BrokerView::Ask(settings, listener.name)),
      first_(broker_) {}

Result<std::vector<Shown>> Check::Run(const std::vector<KeyTarget>& targets) {
  std::vector<Shown> all;
  for (const KeyTarget& target : targets) {
    for (const TlsVersion version : plan_.versions) {
      KB_ASSIGN(Verdict verdict, Try(target, version));
      all.push_back({target, version, std::move(verdict)});
      if (stopped_) return all;
    }
  }
  if (plan_.one_key) ForgiveTheOtherType(all);
  return all;
}

Verdict Check::ThroughBroker() const {
  if (made_ == 0) return {true, "unknown", ""};
  if (broker_.away) {
    return {false, "not-through-broker",
            "no broker is running, yet the server signs: it has a copy of the key, or reaches the "
            "token by itself"};
  }
  if (!broker_.answers || broker_.pid != first_.pid) {
    return {true, "unknown",
            "whether the signatures came through the broker is not known: " +
                (broker_.answers ? "it was started anew meanwhile" : broker_.detail)};
  }
  const int64_t counted = broker_.signatures - first_.signatures;
  if (counted >= made_) {
    return {true, "ok", "the broker made these signatures for the listener " + listener_.name};
  }
  return {false, "not-through-broker",
          "the server made " + std::to_string(made_) + " signatures, and the broker " +
              std::to_string(counted) +
              " for this listener: the server has a copy of the key, or its reference names the "
              "socket of another listener"};
}

Result<Verdict> Check::Try(const KeyTarget& target, TlsVersion version) {
  KB_ASSIGN(auto installed, InstalledChain(settings_, target));
  const std::string name = ServerName(plan_, target);
  const auto served =
      ShakeHands({plan_.address, plan_.starttls, name, version, target.type, plan_.limit});
  const BrokerView before = broker_;
  broker_ = BrokerView::Ask(settings_, listener_.name);
  if (!served) {
    stopped_ = IsOfServer(served.error().fault);
    return Explain(settings_, listener_, target, served.error(), before, broker_);
  }
  ++made_;
  return Judge(
      {target, std::move(installed), RewriteCommand(settings_, listener_, target.name, target.type),
       name, std::time(nullptr), plan_.anchors,
       [&](const std::string& id) { return FindKey(settings_, broker_.status, target, id); }},
      *served);
}

}  // namespace keybroker::cli
