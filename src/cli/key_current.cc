#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_pick.h"
#include "cli/key_tokens.h"
#include "cli/rewrite.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/joined.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

struct CurrentOptions : PickOptions {
  bool without_certificate = false;
  bool forget = false;
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

// CheckLost refuses where a token has the key, or may have it.
Status CheckLost(const config::Settings& settings, const KeyWish& wish) {
  KB_ASSIGN(const Holders holders, HoldersBesides(settings, wish, ""));
  if (!holders.names.empty()) {
    return Fail(Conflict("the key " + wish.name + " is on the token " + Joined(holders.names) +
                         ": `keybroker key delete` destroys it. Nothing was changed"));
  }
  if (holders.silent.empty()) return {};
  return Fail(Unavailable("whether a token has the key is not known" + holders.silent +
                          ". Nothing was changed: a token that is gone for good is taken out of " +
                          settings.tokens_dir.string() + " first"));
}

// Forget takes a lost key off this host's list, so that nothing asks for it, or its backup, again.
Result<Answer> Forget(const config::Settings& settings, const KeyWish& wish) {
  if (!wish.type) return Fail(WrongUsage("--forget wants --type, so that it is the right one"));
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(auto current, LoadCurrent(settings));
  const auto entry = current.ids.find({wish.name, *wish.type});
  const std::string which = std::string(cryptoki::KeyTypeName(*wish.type)) + " key of " + wish.name;
  if (entry == current.ids.end()) {
    return Fail(NotFound("no current " + which + " is on this host's list"));
  }
  const std::string id = entry->second;
  KB_TRY(CheckLost(settings, {wish.name, wish.type, id}));
  current.ids.erase(entry);
  KB_TRY(StoreCurrent(settings, current));
  Answer answer = MakeAnswer("the " + which + " (id " + id +
                                 ") is off this host's list; its backups, where there are any, "
                                 "stay on record",
                             {{"name", wish.name}, {"id", id}, {"forgotten", true}});
  if (const Status put = RecordDeleted(settings, id, std::time(nullptr)); !put) {
    answer.notes.push_back("not put down: " + put.error().detail);
  }
  KB_TRY(change.Done({"key-forget", wish.name, id, ""}, answer));
  return answer;
}

Result<Answer> KeyCurrent(const Invocation& invocation, const CurrentOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto settings, invocation.Settings());
  if (options.forget) return Forget(settings, wish);
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
  verb.Flag("--forget", options->forget,
            "instead: take the key off this host's list, for one that is lost, on no token, and "
            "not to be restored");
  verb.Flag("--without-certificate", options->without_certificate,
            "although the key has no certificate and the present one has");
  verb.Does([options](const Invocation& i) { return KeyCurrent(i, *options); });
}

}  // namespace keybroker::cli
