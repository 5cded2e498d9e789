#include "cli/listener_text.h"

#include <cstdio>
#include <vector>

#include "cli/listener_file.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::cli {
namespace {

template <typename List>
std::string Join(const List& list) {
  std::string text;
  for (const auto& one : list) text += (text.empty() ? "" : ", ") + std::string(one);
  return text;
}

std::string Octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode) & 0777U);
  return text;
}

Json BindingJson(const policy::Binding& binding) {
  Json json{{"key", binding.key}, {"type", nullptr}, {"mechanisms", binding.mechanisms}};
  if (binding.type) json["type"] = cryptoki::KeyTypeName(*binding.type);
  json["permitted"] = Json::array();
  for (const auto mechanism : binding.permitted) {
    json["permitted"].push_back(cryptoki::MechanismName(mechanism));
  }
  return json;
}

}  // namespace

Json ListenerJson(const config::Settings& settings, const policy::Listener& listener) {
  Json json{{"name", listener.name},        {"socket", SocketOf(settings, listener).string()},
            {"owner", listener.owner},      {"group", listener.group},
            {"mode", Octal(listener.mode)}, {"users", listener.users},
            {"jails", Json::array()},       {"bindings", Json::array()}};
  for (const auto& jail : listener.jails) json["jails"].push_back(jail.string());
  for (const auto& binding : listener.bindings) json["bindings"].push_back(BindingJson(binding));
  return json;
}

std::string ListenerText(const config::Settings& settings, const policy::Listener& listener) {
  const std::string owner = listener.owner.empty() ? settings.broker_user : listener.owner;
  std::vector<std::vector<std::string>> rows{
      {"  socket", SocketOf(settings, listener).string()},
      {"  access",
       owner + (listener.group.empty() ? "" : ":" + listener.group) + " " + Octal(listener.mode)},
      {"  users", Join(listener.users)}};
  for (const auto& jail : listener.jails) rows.push_back({"  jail", jail.string()});
  for (const auto& binding : listener.bindings) {
    const std::string type = binding.type ? std::string(cryptoki::KeyTypeName(*binding.type))
                                          : std::string("rsa and ec");
    rows.push_back({"  key", binding.key + " (" + type + ") by " + Join(binding.mechanisms)});
  }
  if (listener.bindings.empty()) rows.push_back({"  key", "none: it can sign nothing"});
  return listener.name + "\n" + Columns(rows);
}

std::string ListenerTable(const Json& listeners) {
  std::vector<std::vector<std::string>> rows{{"NAME", "USERS", "KEYS", "SOCKET"}};
  for (const auto& one : listeners) {
    std::vector<std::string> keys;
    for (const auto& binding : one["bindings"]) {
      const std::string type = GetText(binding, "type");
      keys.push_back(GetText(binding, "key") + (type.empty() ? "" : " (" + type + ")"));
    }
    rows.push_back({GetText(one, "name"), Join(one["users"].get<std::vector<std::string>>()),
                    Join(keys), GetText(one, "socket")});
  }
  return rows.size() == 1 ? "no listener yet: `keybroker listener add NAME --user USER` makes one"
                          : Columns(rows);
}

}  // namespace keybroker::cli
