#include <memory>
#include <utility>

#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_text.h"
#include "cli/token_access.h"

namespace keybroker::cli {
namespace {

Result<Json> AllKeys(const TokenAccess& access, const policy::CurrentKeys& current) {
  return access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    Json json{{"token", token.config.name}, {"keys", Json::array()}, {"skipped", keys.skipped}};
    for (const auto& key : keys.keys) {
      json["keys"].push_back(KeyJson(key, IsCurrent(keys, current, key)));
    }
    return json;
  });
}

struct ListOptions {
  TokenOptions token;
  std::string name;  // key show
  std::string type;
};

Result<Answer> KeyList(const Invocation& invocation, const ListOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  KB_ASSIGN(Json found, AllKeys(access, current));
  Answer answer = MakeAnswer(KeyTable(found["keys"]), found);
  for (const auto& skipped : answer.json["skipped"]) {
    answer.notes.push_back("left out: " + skipped.get<std::string>());
  }
  return answer;
}

Result<Answer> KeyShow(const Invocation& invocation, const ListOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, ""));
  KB_ASSIGN(Answer all, KeyList(invocation, options));
  Answer answer = MakeAnswer("", {{"keys", Json::array()}});
  for (const auto& key : all.json["keys"]) {
    if (GetText(key, "name") != wish.name) continue;
    if (wish.type && GetText(key, "type") != cryptoki::KeyTypeName(*wish.type)) continue;
    answer.text += (answer.text.empty() ? "" : "\n") + KeyText(key);
    answer.json["keys"].push_back(key);
  }
  if (answer.json["keys"].empty()) {
    const std::string type =
        wish.type ? std::string(cryptoki::KeyTypeName(*wish.type)) + " " : std::string();
    return Fail(NotFound("there is no " + type + "key " + wish.name +
                         " on the token: `keybroker key list` shows what there is"));
  }
  return answer;
}

}  // namespace

void AddKeyList(const Command& noun) {
  auto list = std::make_shared<ListOptions>();
  const Command verb = noun.Verb("list", "show every key", "keybroker key list");
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
