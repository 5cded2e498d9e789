#include "cli/backup_demand.h"

#include <ctime>
#include <utility>

#include "cli/backup_record.h"
#include "cli/backup_standing.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

// Unproved is why the external backup on record does not stand for the key, "" when it does.
std::string Unproved(const config::Settings& settings, const ExternalBackup& external,
                     const ShownKey& shown) {
  const std::string drill = ": `keybroker drill --external " +
                            ShellQuote(GetText(shown.key, "name")) + " --type " +
                            GetText(shown.key, "type") + " --token " +
                            (external.at.empty() ? "STANDBY" : external.at) + "`";
  if (external.SpkiSha256() != GetText(shown.key, "spki_sha256")) {
    return "the external backup on record is of another key with its CKA_ID";
  }
  if (external.failed != 0) return "the last drill of its external backup failed" + drill;
  const int64_t now = std::time(nullptr);
  if (external.drilled == 0 || external.drilled > now) {
    return "its external backup was recorded, and no drill proved it" + drill;
  }
  if (SameToken(external.standby, shown.token)) {
    return "its external backup was proved on this very token, which is none for it";
  }
  if (DaysSince(external.drilled, now) > settings.drill_days) {
    return "its external backup was last proved more than " + std::to_string(settings.drill_days) +
           " days ago" + drill;
  }
  return {};
}

// WayToMake is how a backup of the key comes to be.
std::string WayToMake(const Json& key) {
  return GetBool(key, "exportable")
             ? "`keybroker backup export " + ShellQuote(GetText(key, "name")) + " --type " +
                   GetText(key, "type") +
                   (GetBool(key, "current") ? "" : " --id " + GetText(key, "id")) +
                   " -o FILE` makes one"
             : "it is not exportable, so none can be made but by the vendor's own means";
}

// ChangedFile is why the proved file on record does not stand for the key, with what to do; "" when
// it does. why says what would be lost.
std::string ChangedFile(const BackupRecord& record, const Json& key, const std::string& why) {
  const std::string put_back =
      ", and " + why + ": put it back, or `keybroker drill FILE` with the file where it is now";
  const auto bytes = ReadFile(record.file, backup::kMaxFile);
  if (!bytes) return "is not there any more" + put_back;
  if (backup::FileSha256(*bytes) != record.sha256) return "is not what it was" + put_back;
  // That very file was opened when it was proved: what it says of itself is so.
  const auto read = backup::ReadBackup(*bytes);
  if (read && Hex(read->manifest.spki) == GetText(key, "spki")) return {};
  return "is of another key, which has the same CKA_ID, and " + why + ": " + WayToMake(key);
}

// WayToOne is what to do about a key without a proved backup.
std::string WayToOne(const BackupRecord& record, const Json& key) {
  const std::string which = ShellQuote(GetText(key, "name")) + " --type " + GetText(key, "type");
  std::string way =
      record.verified == 0 ? "" : "`" + DrillCommand(record.file) + "` would prove that one; ";
  way += WayToMake(key);
  if (record.external) return way;
  return way + "; one by the vendor's own means is noted by `keybroker backup record --external " +
         which + " --note TEXT`";
}

}  // namespace

Result<ShownKey> ShowKey(const TokenAccess& access, const policy::CurrentKeys& current,
                         const KeyWish& wish) {
  KB_ASSIGN(Json json, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_ASSIGN(const token::KeyPair* key, PickKey(keys, current, wish));
    return Json{{"key", KeyJson(*key, IsCurrent(keys, current, *key))},
                {"token", IdentityJson(IdentityOf(token.token.info()))}};
  }));
  auto token = ParseIdentity(json["token"]);
  if (!token) return Fail(Internal("the token's process gave an answer that does not fit"));
  return ShownKey{std::move(json["key"]), std::move(*token)};
}

Status RequireVerifiedBackup(const config::Settings& settings, const ShownKey& shown,
                             const std::string& why, bool force) {
  if (force) return {};
  const Json& key = shown.key;
  KB_ASSIGN(const BackupRecord record, LoadBackupRecord(settings, GetText(key, "id")));
  const std::string changed = record.proved == 0 ? "" : ChangedFile(record, key, why);
  if (record.proved != 0 && changed.empty()) return {};
  const std::string unproved =
      record.external ? Unproved(settings, *record.external, shown) : std::string();
  if (record.external && unproved.empty()) return {};
  const std::string end =
      (unproved.empty() ? "" : "; " + unproved) + ". Say --force if that is meant";
  const std::string name = GetText(key, "name");
  if (record.proved != 0) {
    return Fail(Denied("the backup on record of the key " + name + ", " + record.file + ", " +
                       changed + end));
  }
  return Fail(Denied("the key " + name + " has no verified backup on record" +
                     (record.verified == 0 ? "" : " that a token made the key of") + ", and " +
                     why + ": " + WayToOne(record, key) + end));
}

}  // namespace keybroker::cli
