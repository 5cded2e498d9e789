#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "cli/backup_demand.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_pick.h"
#include "cli/key_tokens.h"
#include "cli/listener_file.h"
#include "keybroker/base/joined.h"

namespace keybroker::cli {
namespace {

constexpr char kDeletingLoses[] = "deleting it loses it for good";

struct DeleteOptions : PickOptions {
  bool force = false;
  bool yes = false;
};

// CheckNotNeeded keeps the current generation while there are others: which of them takes its place
// is for the operator to say, not for chance.
Status CheckNotNeeded(const token::KeyList& keys, const policy::CurrentKeys& current,
                      const token::KeyPair& key) {
  const auto generations =
      std::count_if(keys.keys.begin(), keys.keys.end(), [&](const token::KeyPair& other) {
        return other.label == key.label && other.type == key.type;
      });
  if (generations == 1 || !IsCurrent(keys, current, key)) return {};
  return Fail(Conflict("the key " + Describe(key) +
                       " is the current one of several generations: choose another with `keybroker "
                       "key current " +
                       key.label + " --id ID` first"));
}

// BoundTo names the listeners that would lose the key.
std::string BoundTo(const config::Settings& settings, const Json& key) {
  std::string text;
  const auto names = ListenerNames(settings);
  if (!names) return text;
  for (const std::string& name : *names) {
    const auto listener = LoadListener(settings, name);
    if (!listener) continue;
    const auto& bindings = listener->bindings;
    if (std::any_of(bindings.begin(), bindings.end(), [&](const policy::Binding& b) {
          return b.key == GetText(key, "name") &&
                 (!b.type || cryptoki::KeyTypeName(*b.type) == GetText(key, "type"));
        })) {
      text += (text.empty() ? ". Listeners bound to it: " : ", ") + name;
    }
  }
  // A reference names its key by id: whoever was given one of this generation signs on with it.
  if (!text.empty() && !GetBool(key, "current")) {
    text += " (it is not the current one: those whose files were not written again use it still)";
  }
  return text;
}

Result<Json> DeleteOnToken(const TokenAccess& access, const policy::CurrentKeys& current,
                           const KeyWish& wish) {
  return access.Run(true, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_ASSIGN(const token::KeyPair* key, PickKey(keys, current, wish));
    KB_TRY(CheckNotNeeded(keys, current, *key));
    const Json json = KeyJson(*key, IsCurrent(keys, current, *key));
    KB_TRY(token::DeleteKey(token.session, *key));
    return json;
  });
}

// OthersAfter is which other tokens have the key, or may have it.
Holders OthersAfter(const config::Settings& settings, const KeyWish& wish,
                    const std::string& deleted_on) {
  auto others = HoldersBesides(settings, wish, deleted_on);
  return others ? std::move(*others) : Holders{{}, ": " + others.error().detail};
}

// KeptElsewhere is why the key stays the current one of its name: another token has it too, or may
// have it; "" when none has.
std::string KeptElsewhere(const Holders& others) {
  if (!others.names.empty()) {
    return "the token " + Joined(others.names) +
           " still shows it (its public key: what else it has is not looked at without a login), "
           "so it stays on record as the current one of its name";
  }
  if (others.silent.empty()) return {};
  return "whether another token has it too is not known" + others.silent +
         ". It stays on record as the current one of its name: `keybroker key current` changes "
         "that";
}

Status ForgetCurrent(const config::Settings& settings, const Json& key) {
  KB_ASSIGN(auto current, LoadCurrent(settings));
  const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
  if (!type) return Fail(Internal("the token's process named no key type"));
  const auto entry = current.ids.find({GetText(key, "name"), *type});
  if (entry == current.ids.end() || entry->second != GetText(key, "id")) return {};
  current.ids.erase(entry);
  return StoreCurrent(settings, current);
}

Result<Answer> KeyDelete(const Invocation& invocation, const DeleteOptions& options) {
  KB_ASSIGN(KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const auto access, PrepareForKey(settings, options.token, wish));
  KB_ASSIGN(const ShownKey shown, ShowKey(access, current, wish));
  wish.id =
      GetText(shown.key, "id");  // the very key that was asked about, and whose backup was found
  KB_TRY(RequireVerifiedBackup(settings, shown, kDeletingLoses, options.force));
  KB_TRY(Confirm("This destroys the " + GetText(shown.key, "type") + " key " + wish.name + " (id " +
                     wish.id + ") on the token \"" + access.config().name + "\" for good" +
                     BoundTo(settings, shown.key),
                 wish.name, options.yes));
  KB_ASSIGN(Change change, Change::Begin(settings));
  // Again, now that nobody else changes anything.
  KB_TRY(RequireVerifiedBackup(settings, shown, kDeletingLoses, options.force));
  ChangeRecord record{"key-delete", wish.name, wish.id, "token " + access.config().name};
  KB_ASSIGN(const Json key,
            Recorded(change, record, [&] { return DeleteOnToken(access, current, wish); }));
  record.key_id = GetText(key, "id");
  // The key is gone: nothing that fails from here on may keep that out of the audit log.
  const Holders others = OthersAfter(settings, wish, access.config().name);
  const std::string kept = KeptElsewhere(others);
  Answer answer =
      MakeAnswer("the key " + wish.name + " (" + GetText(key, "type") + ", id " + record.key_id +
                     ") is gone from the token \"" + access.config().name + "\"",
                 {{"deleted", key}, {"token", access.config().name}, {"still_on", others.names}});
  if (!kept.empty()) answer.notes.push_back(kept);
  const int64_t now = std::time(nullptr);
  // A standby token that has lost the key stands for no other token's any more.
  for (const Status& each : {kept.empty() ? ForgetCurrent(settings, key) : Status(),
                             kept.empty() ? RecordDeleted(settings, record.key_id, now) : Status(),
                             RecordOriginLost(settings, record.key_id, shown.token, now),
                             ForgetProofOn(settings, record.key_id, shown.token)}) {
    if (!each) answer.notes.push_back("not put down: " + each.error().detail);
  }
  KB_TRY(change.Done(record, answer));
  return answer;
}

}  // namespace

void AddKeyDelete(const Command& noun) {
  auto options = std::make_shared<DeleteOptions>();
  const Command verb = noun.Verb("delete", "destroy a key on the token",
                                 "keybroker key delete old.example.test --type rsa --force");
  AddPickOptions(verb, *options);
  verb.Flag("--force", options->force, "although no verified backup is on record")
      .Flag("--yes", options->yes, "do not ask to type the name");
  verb.Does([options](const Invocation& i) { return KeyDelete(i, *options); });
}

}  // namespace keybroker::cli
