#include <memory>
#include <utility>

#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_text.h"
#include "cli/token_access.h"
#include "keybroker/token/config.h"

namespace keybroker::cli {
namespace {

Result<Json> KeysOf(const TokenAccess& access, const policy::CurrentKeys& current) {
  return access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    Json json{{"token", token.config.name}, {"keys", Json::array()}, {"skipped", keys.skipped}};
    for (const auto& key : keys.keys) {
      json["keys"].push_back(KeyJson(key, IsCurrent(keys, current, key)));
      json["keys"].back()["token"] = token.config.name;
    }
    return json;
  });
}

struct ListOptions {
  TokenOptions token;
  std::string name;  // key show
  std::string type;
};

// TokensToList is the named token, or all there are; a PIN that is given is of one.
Result<std::vector<std::string>> TokensToList(const config::Settings& settings,
                                              const TokenOptions& options) {
  std::vector<std::string> names;
  if (options.token.empty() && !options.pin.Given()) {
    KB_ASSIGN(const auto configs, token::LoadTokenConfigs(settings));
    for (const auto& config : configs) names.push_back(config.name);
  }
  if (names.empty()) {
    KB_ASSIGN(const auto config, ChooseToken(settings, options.token));
    names.push_back(config.name);
  }
  return names;
}

// AllKeys lists the keys of each token; one that cannot be read does not hide the others.
Result<Answer> AllKeys(const config::Settings& settings, const TokenOptions& options,
                       const policy::CurrentKeys& current) {
  KB_ASSIGN(const auto names, TokensToList(settings, options));
  Answer answer;
  answer.json = {{"tokens", names}, {"keys", Json::array()}, {"skipped", Json::array()}};
  for (const std::string& name : names) {
    const auto keys = [&]() -> Result<Json> {
      KB_ASSIGN(const auto access,
                TokenAccess::Prepare(settings, {name, options.word, options.pin}));
      return KeysOf(access, current);
    }();
    if (!keys && names.size() == 1) return Fail(keys.error());
    if (!keys) {
      answer.good = false;
      answer.notes.push_back("the keys of the token " + name +
                             " are not listed: " + keys.error().detail);
      continue;
    }
    for (const char* field : {"keys", "skipped"}) {
      for (const auto& one : (*keys)[field]) answer.json[field].push_back(one);
    }
  }
  return answer;
}

Result<Answer> KeyList(const Invocation& invocation, const ListOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(Answer answer, AllKeys(settings, options.token, current));
  const bool several = answer.json["tokens"].size() > 1;
  // "No key yet" would be a guess where a token could not be read.
  if (answer.good || !answer.json["keys"].empty()) {
    answer.text = KeyTable(answer.json["keys"], several);
  }
  for (const auto& skipped : answer.json["skipped"]) {
    answer.notes.push_back("left out: " + skipped.get<std::string>());
  }
  return answer;
}

Result<Answer> KeyShow(const Invocation& invocation, const ListOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, ""));
  KB_ASSIGN(Answer all, KeyList(invocation, options));
  Answer answer = MakeAnswer("", {{"keys", Json::array()}});
  answer.notes = all.notes;
  answer.good = all.good;
  for (const auto& key : all.json["keys"]) {
    if (GetText(key, "name") != wish.name) continue;
    if (wish.type && GetText(key, "type") != cryptoki::KeyTypeName(*wish.type)) continue;
    answer.text += (answer.text.empty() ? "" : "\n") + KeyText(key);
    answer.json["keys"].push_back(key);
  }
  if (answer.json["keys"].empty()) {
    std::string unread;
    for (const std::string& note : all.notes) unread += "\n" + note;
    const std::string type =
        wish.type ? std::string(cryptoki::KeyTypeName(*wish.type)) + " " : std::string();
    return Fail(NotFound("there is no " + type + "key " + wish.name +
                         " on the token: `keybroker key list` shows what there is" + unread));
  }
  return answer;
}

}  // namespace

void AddKeyList(const Command& noun) {
  auto list = std::make_shared<ListOptions>();
  const Command verb = noun.Verb("list", "show every key of every token", "keybroker key list");
  AddTokenOptions(verb, list->token);
  verb.Does([list](const Invocation& i) { return KeyList(i, *list); });
}

void AddKeyShow(const Command& noun) {
  auto show = std::make_shared<ListOptions>();
  const Command verb = noun.Verb("show", "show all there is to know of a name's keys",
                                 "keybroker key show mail.example.test");
  verb.Argument("NAME", show->name, "key name, an FQDN")
      .Option("--type", show->type, "rsa or ec; both when left out");
  AddTokenOptions(verb, show->token);
  verb.Does([show](const Invocation& i) { return KeyShow(i, *show); });
}

}  // namespace keybroker::cli
