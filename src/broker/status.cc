#include "broker/status.h"

#include <unistd.h>

#include <algorithm>
#include "keybroker/base/json.h"

#include "broker/clock.h"
#include "broker/token_gate.h"
#include "broker/unknown_keys.h"
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
          {"keys_unknown", WhyKeysAreUnknown(token)},
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

std::string ReloadText(const Snapshot& snapshot, const std::vector<std::string>& silent_tokens) {
  Json reload = {{"listeners", snapshot.listeners.size()},
                 {"tokens", snapshot.tokens.size()},
                 {"keys", snapshot.keys.size()},
                 {"tokens_away", silent_tokens},
                 {"warnings", snapshot.warnings}};
  return Dump(reload);
}

}  // namespace keybroker::broker
