#include "cli/backup_demand.h"

#include "cli/backup_record.h"

namespace keybroker::cli {

Result<Json> ShowKey(const TokenAccess& access, const policy::CurrentKeys& current,
                     const KeyWish& wish) {
  return access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_ASSIGN(const token::KeyPair* key, PickKey(keys, current, wish));
    return KeyJson(*key, IsCurrent(keys, current, *key));
  });
}

Status RequireVerifiedBackup(const config::Settings& settings, const Json& key,
                             const std::string& why) {
  KB_ASSIGN(const BackupRecord record, LoadBackupRecord(settings, GetText(key, "id")));
  if (record.verified != 0) return {};
  const std::string name = GetText(key, "name");
  const std::string way = GetBool(key, "exportable")
                              ? "`keybroker backup export " + name + " -o FILE` makes one"
                              : "it is not exportable, so none can be made";
  return Fail(Denied("the key " + name + " has no verified backup on record, and " + why + ": " +
                     way + ". Say --force if that is meant"));
}

}  // namespace keybroker::cli
