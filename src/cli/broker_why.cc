#include "cli/broker_why.h"

#include "cli/backup_standing.h"
#include "keybroker/broker/admin_client.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/policy/decision.h"

namespace keybroker::cli {
namespace {

// NameBackup replaces policy's advice.
void NameBackup(const config::Settings& settings, const WhyQuestion& question, Json& json) {
  if (!GetText(json, "keys_unknown").empty()) return;
  const std::string way = WayBackTo(settings, question);
  if (way.empty()) return;
  const auto* mechanism = cryptoki::FindSignMechanism(question.mechanism);
  std::string text = GetText(json, "text");
  for (const std::string& advice :
       {policy::HowToMake(question.key),
        mechanism == nullptr ? std::string()
                             : policy::HowToMake(question.key, mechanism->key_type)}) {
    const size_t at = advice.empty() ? std::string::npos : text.find(advice);
    if (at == std::string::npos) continue;
    json["text"] = text.replace(at, advice.size(), way);
    return;
  }
}

}  // namespace

std::string WayBackTo(const config::Settings& settings, const WhyQuestion& question) {
  const auto* mechanism = cryptoki::FindSignMechanism(question.mechanism);
  const std::string way =
      mechanism == nullptr ? "" : WayBack(settings, question.key, mechanism->key_type);
  return way.empty() ? WayBack(settings, question.key, std::nullopt) : way;
}

Result<Json> AskWhy(const config::Settings& settings, const WhyQuestion& question) {
  KB_ASSIGN(const auto text,
            broker::AskBroker(settings, wire::AdminVerb::kWhy,
                              {question.listener, question.key, question.mechanism}));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail(Malformed("the broker's answer does not parse"));
  NameBackup(settings, question, json);
  return json;
}

}  // namespace keybroker::cli
