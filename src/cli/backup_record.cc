#include "cli/backup_record.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <tuple>

#include "cli/answer.h"
#include "cli/layout.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"

namespace keybroker::cli {
namespace {

std::filesystem::path RecordFile(const config::Settings& settings, const std::string& id) {
  return settings.BackupRecords() / (id + ".json");
}

Result<BackupRecord> Parse(const std::filesystem::path& file) {
  KB_ASSIGN(const auto text, ReadFile(file, 65536));
  const Json json = Json::parse(text, nullptr, false);
  BackupRecord record{
      GetText(json, "name"),       GetText(json, "type"),
      GetText(json, "id"),         GetText(json, "file"),
      GetText(json, "sha256"),     static_cast<uint64_t>(GetNumber(json, "sequence")),
      GetNumber(json, "verified"), GetNumber(json, "proved"),
      GetNumber(json, "drilled"),  static_cast<unsigned>(GetNumber(json, "drill_level"))};
  if (record.id.empty() || file.stem() != record.id) {
    return Fail(Malformed("the backup record " + file.string() +
                          " does not parse: remove it, and verify the backup again"));
  }
  return record;
}

// Renewed is the record after a file of this manifest went well, with or without proof; nothing
// when a better one of the key is on record.
Result<std::optional<BackupRecord>> Renewed(const config::Settings& settings,
                                            const SeenBackup& seen, bool proof) {
  const std::string id = Hex(seen.manifest.id);
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, id));
  const bool same = record.sha256 == seen.sha256;
  if (!same && record.proved != 0 && (!proof || record.sequence > seen.manifest.sequence)) {
    return std::nullopt;
  }
  if (!same) record = BackupRecord{};
  record.name = seen.manifest.name;
  record.type = cryptoki::KeyTypeName(seen.manifest.type);
  record.id = id;
  record.file = seen.file;
  record.sha256 = seen.sha256;
  record.sequence = seen.manifest.sequence;
  return record;
}

}  // namespace

Result<BackupRecord> LoadBackupRecord(const config::Settings& settings, const std::string& id) {
  auto record = Parse(RecordFile(settings, id));
  if (!record && record.error().code == ErrorCode::kNotFound) return BackupRecord{};
  return record;
}

Result<std::vector<BackupRecord>> LoadBackupRecords(const config::Settings& settings) {
  std::vector<BackupRecord> records;
  std::error_code error;
  std::filesystem::directory_iterator entries(settings.BackupRecords(), error);
  if (error == std::errc::no_such_file_or_directory) return records;
  if (error) {
    return Fail(Denied("cannot read " + settings.BackupRecords().string() + ": " + error.message() +
                       ". Run this as root"));
  }
  for (const auto& entry : entries) {
    if (entry.path().extension() != ".json") continue;
    KB_ASSIGN(auto record, Parse(entry.path()));
    records.push_back(std::move(record));
  }
  std::sort(records.begin(), records.end(), [](const BackupRecord& a, const BackupRecord& b) {
    return std::tie(a.name, a.type, a.id) < std::tie(b.name, b.type, b.id);
  });
  return records;
}

Status StoreBackupRecord(const config::Settings& settings, const BackupRecord& record) {
  KB_TRY(MakeDirectory(settings.BackupRecords(), "", 0700));
  const Json json{{"name", record.name},
                  {"type", record.type},
                  {"id", record.id},
                  {"file", record.file},
                  {"sha256", record.sha256},
                  {"sequence", record.sequence},
                  {"verified", record.verified},
                  {"proved", record.proved},
                  {"drilled", record.drilled},
                  {"drill_level", record.drill_level}};
  return WriteFileAtomically(RecordFile(settings, record.id), json.dump(2) + "\n", 0600);
}

Status RecordVerified(const config::Settings& settings, const SeenBackup& seen, int64_t now) {
  KB_ASSIGN(auto record, Renewed(settings, seen, false));
  if (!record) return {};
  record->verified = now;
  return StoreBackupRecord(settings, *record);
}

Status RecordProved(const config::Settings& settings, const SeenBackup& seen, int64_t now) {
  KB_ASSIGN(auto record, Renewed(settings, seen, true));
  if (!record) return {};
  record->verified = record->proved = now;
  return StoreBackupRecord(settings, *record);
}

Status RecordDrilled(const config::Settings& settings, const SeenBackup& seen, int64_t now,
                     unsigned level) {
  KB_ASSIGN(auto record, Renewed(settings, seen, true));
  if (!record) return {};
  record->verified = record->proved = record->drilled = now;
  record->drill_level = level;
  return StoreBackupRecord(settings, *record);
}

int64_t DaysSince(int64_t then, int64_t now) { return now <= then ? 0 : (now - then) / 86400; }

}  // namespace keybroker::cli
