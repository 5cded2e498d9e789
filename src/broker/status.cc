#include "broker/status.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/clock.h"
#include "broker/token_gate.h"
#include "keybroker/base/hex.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::broker {
namespace {

using Json = nlohmann::ordered_json;

// What came from a token or a file may not be UTF-8; the output always is.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json MechanismNames(const std::vector<uint32_t>& mechanisms) {
  Json names = Json::array();
  for (const uint32_t mechanism : mechanisms) names.push_back(cryptoki::MechanismName(mechanism));
  return names;
}

Json KeysOf(const View& view) {
  Json keys = Json::array();
  for (const auto& key : view.keys()) {
    keys.push_back({{"name", key->name},
                    {"type", cryptoki::KeyTypeName(key->type)},
                    {"bits", key->bits},
                    {"id", key->id_hex},
                    {"current", key->current},
                    {"mechanisms", MechanismNames(key->mechanisms)}});
  }
  return keys;
}

Json BindingsOf(const policy::Listener& listener) {
  Json bindings = Json::array();
  for (const policy::Binding& binding : listener.bindings) {
    bindings.push_back(
        {{"key", binding.key},
         {"type", binding.type ? Json(cryptoki::KeyTypeName(*binding.type)) : Json()},
         {"mechanisms", binding.mechanisms}});
  }
  return bindings;
}

Json ListenerJson(const ListenerState& state, const View& view) {
  Json sockets = Json::array();
  for (const Endpoint& endpoint : view.setup().endpoints) sockets.push_back(endpoint.path.string());
  return {{"name", state.name},
          {"sockets", sockets},
          {"users", view.setup().policy.users},
          {"connections", state.connections.load()},
          {"messages", state.messages.load()},
          {"signatures", state.signatures.load()},
          {"denied", state.denied.load()},
          {"failed", state.failed.load()},
          {"bad_messages", state.bad_messages.load()},
          {"connections_refused", state.connections_refused.load()},
          {"generation", view.generation()},
          {"bindings", BindingsOf(view.setup().policy)},
          {"keys", KeysOf(view)}};
}

Json TokenJson(const TokenKeys& token) {
  TokenGate& gate = *token.gate;
  const TokenReport report = gate.report();
  const std::string_view state = gate.unreachable() ? "away"
                                 : report.known     ? wire::TokenStateName(report.state)
                                                    : "unknown";
  return {{"name", gate.name()},
          {"socket", gate.socket().string()},
          {"state", state},
          {"away_ms", gate.AwayForMs()},
          {"in_flight", gate.admission().in_flight()},
          {"pid", report.pid},
          {"label", report.label},
          {"serial", report.serial},
          {"model", report.model},
          {"detail", report.detail},
          {"keys", token.catalogue ? token.catalogue->keys.size() : 0}};
}

Json KeyJson(const KnownKey& known, const Snapshot& snapshot) {
  const TokenKey& key = *known.key;
  return {{"token", snapshot.tokens[known.token].gate->name()},
          {"name", key.name},
          {"type", cryptoki::KeyTypeName(key.type)},
          {"bits", key.bits},
          {"id", Hex(key.id)},
          {"current", known.current},
          {"certificate", !key.certificate.empty()},
          {"mechanisms", MechanismNames(key.mechanisms)}};
}

std::string ListenerNames(const Snapshot& snapshot) {
  std::string names;
  for (const auto& listener : snapshot.listeners) {
    names += (names.empty() ? "" : ", ") + listener->name;
  }
  return names.empty() ? "none" : names;
}

// AwayText: what a token holds that does not answer is not known.
std::string AwayText(const Snapshot& snapshot) {
  std::string names;
  for (const TokenKeys& token : snapshot.tokens) {
    if (!token.catalogue || token.gate->unreachable()) names += " " + token.gate->name();
  }
  return names.empty() ? "" : " (not known of the tokens that are away:" + names + ")";
}

// FindFacts looks for a key of the name that the mechanism could go with; any type if none does.
const TokenKey* FindKey(const Snapshot& snapshot, std::string_view name,
                        const cryptoki::SignMechanism* mechanism) {
  const TokenKey* any = nullptr;
  for (const KnownKey& known : snapshot.keys) {
    if (known.key->name != name) continue;
    if (mechanism == nullptr || known.key->type == mechanism->key_type) return known.key;
    if (any == nullptr) any = known.key;
  }
  return any;
}

}  // namespace

std::string StatusText(const Snapshot& snapshot, const Auditor::State& audit, uint64_t started_ms) {
  Json status = {
      {"version", KB_VERSION},      {"pid", ::getpid()},
      {"uid", ::geteuid()},         {"uptime_seconds", (MonotonicMs() - started_ms) / 1000},
      {"listeners", Json::array()}, {"tokens", Json::array()},
      {"keys", Json::array()}};
  for (const auto& listener : snapshot.listeners) {
    status["listeners"].push_back(ListenerJson(*listener, *snapshot.views.at(listener.get())));
  }
  for (const TokenKeys& token : snapshot.tokens) status["tokens"].push_back(TokenJson(token));
  for (const KnownKey& known : snapshot.keys) status["keys"].push_back(KeyJson(known, snapshot));
  status["audit"] = {{"sequence", audit.head.sequence},
                     {"hash", Hex(audit.head.hash)},
                     {"writing", audit.writing},
                     {"unrecorded", audit.unrecorded}};
  status["warnings"] = snapshot.warnings;
  if (!audit.writing) status["warnings"].push_back("the audit log cannot be written");
  return Dump(status);
}

Result<std::string> WhyText(const Snapshot& snapshot, const wire::AdminRequest& request) {
  if (request.argument_count != 3) {
    return Fail(Malformed("why needs a listener, a key name and a mechanism"));
  }
  const std::string_view listener = request.arguments[0];
  const std::string_view key_name = request.arguments[1];
  const std::string_view mechanism_name = request.arguments[2];
  const auto found =
      std::find_if(snapshot.configuration.listeners.begin(), snapshot.configuration.listeners.end(),
                   [&](const auto& setup) { return setup->policy.name == listener; });
  if (found == snapshot.configuration.listeners.end()) {
    return Fail(NotFound("there is no listener \"" + std::string(listener) +
                         "\"; there is: " + ListenerNames(snapshot)));
  }
  const policy::Listener& of = (*found)->policy;
  const cryptoki::SignMechanism* mechanism = cryptoki::FindSignMechanism(mechanism_name);
  const CK_MECHANISM_TYPE type =
      mechanism == nullptr ? CK_UNAVAILABLE_INFORMATION : mechanism->type;
  const TokenKey* key = FindKey(snapshot, key_name, mechanism);
  const policy::KeyFacts facts =
      key == nullptr ? policy::KeyFacts{} : policy::KeyFacts{key->name, key->type, key->bits};
  const auto reason = policy::DecideMechanism(of, key == nullptr ? nullptr : &facts, type);
  const bool no_key = key == nullptr && reason == policy::Reason::kKeyNotBound;
  Json why = {{"listener", listener},
              {"key", key_name},
              {"mechanism", mechanism_name},
              {"granted", reason == policy::Reason::kGranted},
              {"decision", policy::ReasonName(reason)},
              {"rv", cryptoki::RvName(policy::ReasonRv(reason))},
              {"key_on_token", key != nullptr},
              {"text", no_key ? policy::ExplainNoKey(of, key_name) + AwayText(snapshot)
                              : policy::Explain(reason, of, key_name, type)}};
  return Dump(why);
}

std::string ReloadText(const Snapshot& snapshot, const std::vector<std::string>& silent_tokens) {
  Json reload = {{"listeners", snapshot.listeners.size()},
                 {"tokens", snapshot.tokens.size()},
                 {"keys", snapshot.keys.size()},
                 {"tokens_away", silent_tokens},
                 {"warnings", snapshot.warnings}};
  return Dump(reload);
}

}  // namespace keybroker::broker
