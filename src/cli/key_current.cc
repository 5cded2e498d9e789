#include <algorithm>
#include <memory>
#include <utility>

#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_pick.h"
#include "cli/key_tokens.h"
#include "cli/rewrite.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

struct CurrentOptions : PickOptions {
  bool without_certificate = false;
};

// CheckCertificate: a server whose files were written anew would have no certificate to show.
Status CheckCertificate(const token::KeyList& keys, const policy::CurrentKeys& current,
                        const token::KeyPair& picked) {
  const bool loses = picked.certificate.empty() &&
                     std::any_of(keys.keys.begin(), keys.keys.end(), [&](const auto& other) {
                       return other.label == picked.label && other.type == picked.type &&
                              !other.certificate.empty() && IsCurrent(keys, current, other);
                     });
  if (!loses) return {};
  const std::string key = ShellQuote(picked.label) + " --type " +
                          std::string(cryptoki::KeyTypeName(picked.type)) + " --id " +
                          Hex(picked.id);
  return Fail(
      Conflict("this key has no certificate yet, and the current one has: nothing was "
               "changed. `keybroker request create " +
               key +
               "`, then `keybroker certificate install`, then this again "
               "(--without-certificate for a server that needs none)"));
}

Result<Answer> KeyCurrent(const Invocation& invocation, const CurrentOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto access, PrepareForKey(settings, options.token, wish));
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(auto current, LoadCurrent(settings));
  KB_ASSIGN(const Json key, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_ASSIGN(const token::KeyPair* picked, PickKey(keys, current, wish));
    if (!options.without_certificate) KB_TRY(CheckCertificate(keys, current, *picked));
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
                                                 ShellQuote(wish.name) + "` lists them)"
                                           : ""),
                      {{"key", key}, {"changed", false}});
  }
  listed = id;
  KB_TRY(StoreCurrent(settings, current));
  Answer answer = MakeAnswer(which + "now " + id, {{"key", key}, {"changed", true}});
  if (key["certificate"].is_null()) {
    answer.notes.push_back("it has no certificate yet: `keybroker request create " +
                           ShellQuote(wish.name) + " --type " + GetText(key, "type") + "`");
  }
  answer.notes.push_back("references name their key by id, so they have to be written again");
  answer.text += "\n" + NextRewrites(settings, wish.name, *type);
  KB_TRY(change.Done({"key-current", wish.name, id, ""}, answer));
  return answer;
}

}  // namespace

void AddKeyCurrent(const Command& noun) {
  auto options = std::make_shared<CurrentOptions>();
  const Command verb = noun.Verb("current", "choose the generation that listeners use",
                                 "keybroker key current mail.example.test --type ec --id 3f9a...");
  AddPickOptions(verb, *options);
  verb.Flag("--without-certificate", options->without_certificate,
            "although the key has no certificate and the present one has");
  verb.Does([options](const Invocation& i) { return KeyCurrent(i, *options); });
}

}  // namespace keybroker::cli
