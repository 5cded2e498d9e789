#include "cli/commands.h"
#include "keybroker/broker/admin_client.h"

namespace keybroker::cli {
namespace {

Result<Answer> Reload(const Invocation& invocation) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto text, broker::AskBroker(settings, wire::AdminVerb::kReload));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail(Malformed("the broker's answer does not parse"));
  Answer answer = MakeAnswer(
      "the broker read its files again: " + std::to_string(GetNumber(json, "listeners")) +
          " listeners, " + std::to_string(GetNumber(json, "keys")) + " keys on " +
          std::to_string(GetNumber(json, "tokens")) + " tokens",
      json);
  const auto warnings = json.find("warnings");
  if (warnings != json.end() && warnings->is_array()) {
    for (const auto& warning : *warnings) {
      if (warning.is_string()) answer.notes.push_back(warning.get<std::string>());
    }
  }
  return answer;
}

}  // namespace

void AddReload(const Command& root) {
  root.Verb("reload", "have the broker read listeners, current.toml and the tokens' keys again",
            "keybroker reload")
      .Does(Reload);
}

}  // namespace keybroker::cli
