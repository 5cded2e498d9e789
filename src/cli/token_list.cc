#include <utility>

#include "cli/token_commands.h"
#include "cli/token_look.h"
#include "keybroker/token/config.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

std::string HostState(const config::Settings& settings, const token::TokenConfig& config) {
  const auto report = tokenhost::AskTokenStatus(settings, config.name);
  if (report) return std::string(wire::TokenStateName(report->state));
  // A user who may not ask cannot know.
  return report.error().code == ErrorCode::kUnavailable ? "not running" : "unknown";
}

Result<Answer> TokenList(const Invocation& invocation) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto configs, token::LoadTokenConfigs(settings));
  Answer answer;
  answer.json["tokens"] = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"NAME", "LABEL", "SERIAL", "MODEL", "PIN", "TOKENHOST"}};
  for (const auto& config : configs) {
    const auto seen = LookAtToken(settings, config);
    const std::string host = HostState(settings, config);
    Json json{{"name", config.name},
              {"module", config.module.string()},
              {"label", config.label},
              {"tokenhost", host},
              {"token", nullptr}};
    if (seen) {
      json["token"] = *seen;
      const std::string pin = GetText(*seen, "pin");
      const bool usable = GetBool(*seen, "pin_usable");
      rows.push_back({config.name, config.label, GetText(*seen, "serial"), GetText(*seen, "model"),
                      usable ? pin : "blocked", host});
      if (!usable) answer.notes.push_back(config.name + ": its PIN is not tried: " + pin);
      answer.good = answer.good && usable;
    } else {
      json["error"] = seen.error().detail;
      rows.push_back({config.name, config.label, "-", "-", "-", host});
      answer.notes.push_back(config.name + ": " + seen.error().detail);
      answer.good = false;
    }
    answer.json["tokens"].push_back(std::move(json));
  }
  answer.text =
      rows.size() > 1
          ? Columns(rows)
          : "no token yet: `keybroker token add NAME --module FILE --label LABEL` adds one";
  return answer;
}

}  // namespace

void AddTokenList(const Command& noun) {
  noun.Verb("list",
            "show every configured token and the state of its PIN (exit status 1 when one cannot "
            "be used)",
            "keybroker token list")
      .Does(TokenList);
}

}  // namespace keybroker::cli
