#include "cli/backup_demand.h"

#include "cli/backup_record.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/file.h"

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
  const std::string name = GetText(key, "name");
  if (record.proved != 0) {
    const auto bytes = ReadFile(record.file, backup::kMaxFile);
    if (bytes && backup::FileSha256(*bytes) == record.sha256) return {};
    return Fail(Denied("the backup on record of the key " + name + ", " + record.file + ", " +
                       (bytes ? "is not what it was" : "is not there any more") + ", and " + why +
                       ": put it back, or `keybroker drill FILE` with the file where it is now. "
                       "Say --force if that is meant"));
  }
  const std::string proof = "`keybroker drill " + record.file + "` would prove that one; ";
  const std::string way =
      (record.verified == 0 ? "" : proof) + (GetBool(key, "exportable")
                                                 ? "`keybroker backup export " + name + " --type " +
                                                       GetText(key, "type") + " -o FILE` makes one"
                                                 : "it is not exportable, so none can be made");
  return Fail(Denied("the key " + name + " has no verified backup on record" +
                     (record.verified == 0 ? "" : " that a token made the key of") + ", and " +
                     why + ": " + way + ". Say --force if that is meant"));
}

}  // namespace keybroker::cli
