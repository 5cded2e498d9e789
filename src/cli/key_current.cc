#include <memory>
#include <utility>

#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_pick.h"
#include "cli/key_tokens.h"
#include "cli/rewrite.h"

namespace keybroker::cli {
namespace {

Result<Answer> KeyCurrent(const Invocation& invocation, const PickOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto access, PrepareForKey(settings, options.token, wish));
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(auto current, LoadCurrent(settings));
  KB_ASSIGN(const Json key, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_ASSIGN(const token::KeyPair* picked, PickKey(keys, current, wish));
    return KeyJson(*picked, true);
  }));
  const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
  if (!type) return Fail(Internal("the token's process named no key type"));
  const std::string id = GetText(key, "id");
  std::string& listed = current.ids[{wish.name, *type}];
  const bool changed = listed != id;
  const std::string which = "the current " + GetText(key, "type") + " key of " + wish.name + " is ";
  if (!changed) {
    return MakeAnswer(which + id + " already: nothing was changed" +
                          (wish.id.empty() ? ". --id chooses another (`keybroker key show " +
                                                 wish.name + "` lists them)"
                                           : ""),
                      {{"key", key}, {"changed", false}});
  }
  listed = id;
  KB_TRY(StoreCurrent(settings, current));
  Answer answer = MakeAnswer(which + "now " + id, {{"key", key}, {"changed", true}});
  if (key["certificate"].is_null()) {
    answer.notes.push_back("it has no certificate yet: `keybroker request create " + wish.name +
                           " --type " + GetText(key, "type") + "`");
  }
  answer.notes.push_back("references name their key by id, so they have to be written again");
  answer.text += "\n" + NextRewrites(settings, wish.name, *type);
  KB_TRY(change.Done({"key-current", wish.name, id, ""}, answer));
  return answer;
}

}  // namespace

void AddKeyCurrent(const Command& noun) {
  auto options = std::make_shared<PickOptions>();
  const Command verb = noun.Verb("current", "choose the generation that listeners use",
                                 "keybroker key current mail.example.test --type ec --id 3f9a...");
  AddPickOptions(verb, *options);
  verb.Does([options](const Invocation& i) { return KeyCurrent(i, *options); });
}

}  // namespace keybroker::cli
