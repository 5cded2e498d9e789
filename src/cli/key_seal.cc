#include <memory>
#include <utility>

#include "cli/backup_demand.h"
#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_pick.h"
#include "cli/key_tokens.h"
#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {
namespace {

constexpr char kSealingLoses[] = "once it is sealed none can ever be made";

struct SealOptions : PickOptions {
  bool force = false;
  bool yes = false;
};

Result<Json> SealOnToken(const TokenAccess& access, const policy::CurrentKeys& current,
                         const KeyWish& wish) {
  return access.Run(true, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_ASSIGN(const token::KeyPair* key, PickKey(keys, current, wish));
    KB_ASSIGN(const auto seal, token::SealKey(token.session, *key));
    token::KeyPair sealed = *key;
    sealed.extractable = false;
    return Json{{"key", KeyJson(sealed, IsCurrent(keys, current, *key))},
                {"enforced", seal.enforced},
                {"evidence", seal.evidence}};
  });
}

Result<Answer> KeySeal(const Invocation& invocation, const SealOptions& options) {
  KB_ASSIGN(KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const auto access, PrepareForKey(settings, options.token, wish));
  KB_ASSIGN(const ShownKey shown, ShowKey(access, current, wish));
  const Json& key = shown.key;
  if (!GetBool(key, "exportable")) {
    return MakeAnswer("the key " + wish.name + " is not exportable already: nothing was changed",
                      {{"key", key}});
  }
  KB_TRY(RequireVerifiedBackup(settings, shown, kSealingLoses, options.force));
  KB_TRY(Confirm("This makes the key " + wish.name + " on the token \"" + access.config().name +
                     "\" not exportable, for good",
                 wish.name, options.yes));
  KB_ASSIGN(Change change, Change::Begin(settings));
  // Again, now that nobody else changes anything.
  KB_TRY(RequireVerifiedBackup(settings, shown, kSealingLoses, options.force));
  wish.id = GetText(key, "id");  // the very key that was asked about
  const ChangeRecord record{"key-seal", wish.name, wish.id, "token " + access.config().name};
  KB_ASSIGN(const Json sealed,
            Recorded(change, record, [&] { return SealOnToken(access, current, wish); }));
  Answer answer = MakeAnswer("the key " + wish.name + " (" + GetText(key, "type") + ", id " +
                                 wish.id + ") is sealed: " + GetText(sealed, "evidence"),
                             sealed);
  answer.good = GetBool(sealed, "enforced");
  if (!answer.good) {
    answer.text = "the seal is NOT ENFORCED by this token: " + GetText(sealed, "evidence") +
                  ". Whoever has its PIN can still export the key";
  }
  KB_TRY(change.Done(record, answer));
  return answer;
}

}  // namespace

void AddKeySeal(const Command& noun) {
  auto options = std::make_shared<SealOptions>();
  const Command verb = noun.Verb(
      "seal", "make a key not exportable for good, proved by a wrap that the token refuses",
      "keybroker key seal mail.example.test --type rsa");
  AddPickOptions(verb, *options);
  verb.Flag("--force", options->force, "although no verified backup is on record")
      .Flag("--yes", options->yes, "do not ask to type the name");
  verb.Does([options](const Invocation& i) { return KeySeal(i, *options); });
}

}  // namespace keybroker::cli
