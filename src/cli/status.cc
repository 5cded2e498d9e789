#include <utility>

#include "cli/commands.h"
#include "cli/status_text.h"
#include "keybroker/broker/admin_client.h"
#include "keybroker/token/config.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

Json TokenhostJson(const config::Settings& settings, const std::string& name) {
  const auto report = tokenhost::AskTokenStatus(settings, name);
  if (!report) return {{"name", name}, {"state", "not running"}, {"detail", report.error().detail}};
  return {{"name", name},
          {"state", wire::TokenStateName(report->state)},
          {"pid", report->pid},
          {"label", report->label},
          {"serial", report->serial},
          {"model", report->model},
          {"keys", report->keys},
          {"detail", report->detail}};
}

// WithoutBroker says what can be said while there is none: how the tokenhosts stand.
Result<Answer> WithoutBroker(const config::Settings& settings, const Error& error) {
  Answer answer;
  answer.good = false;
  answer.json = {{"broker", nullptr}, {"tokens", Json::array()}};
  KB_ASSIGN(const auto configs, token::LoadTokenConfigs(settings));
  for (const auto& config : configs) {
    answer.json["tokens"].push_back(TokenhostJson(settings, config.name));
  }
  answer.text = StatusText(answer.json);
  answer.notes.push_back(error.detail);
  return answer;
}

Result<Answer> Status(const Invocation& invocation) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  const auto text = broker::AskBroker(settings, wire::AdminVerb::kStatus);
  if (!text && text.error().code == ErrorCode::kUnavailable) {
    return WithoutBroker(settings, text.error());
  }
  KB_TRY(text);
  Json broker = Json::parse(*text, nullptr, false);
  if (!broker.is_object()) return Fail(Malformed("the broker's status does not parse"));
  Answer answer;
  answer.json["broker"] = Json::object();
  for (auto& [field, value] : broker.items()) {
    const bool apart = value.is_array() || field == "audit";
    (apart ? answer.json[field] : answer.json["broker"][field]) = value;
  }
  for (const auto& token : answer.json["tokens"]) {
    if (GetText(token, "state") != "ready") answer.good = false;
  }
  answer.text = StatusText(answer.json);
  return answer;
}

}  // namespace

void AddStatus(const Command& root) {
  root.Verb("status", "show how broker, tokens and listeners stand", "keybroker status --json")
      .Does(Status);
}

}  // namespace keybroker::cli
