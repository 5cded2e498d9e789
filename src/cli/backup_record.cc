#include "cli/backup_record.h"

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>

#include "cli/answer.h"
#include "cli/layout.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxRecord = 131072;  // bytes

std::filesystem::path RecordFile(const config::Settings& settings, const std::string& id) {
  CheckFileId(id);
  return settings.BackupRecords() / (id + ".json");
}

// Number is a count or time of a record; what no record of ours has reads as 0.
template <typename T>
T Number(const Json& json, const char* field, T most) {
  const int64_t value = GetNumber(json, field);
  return value < 0 || static_cast<uint64_t>(value) > static_cast<uint64_t>(most)
             ? T{0}
             : static_cast<T>(value);
}

std::vector<KnownFile> ParseKnown(const Json& json) {
  std::vector<KnownFile> known;
  const auto list = json.find("known");
  if (list == json.end() || !list->is_array()) return known;
  for (const Json& each : *list) {
    if (known.size() == kMaxKnownFiles) break;
    known.push_back({GetText(each, "sha256"), Number(each, "verified", backup::kMaxCreated)});
  }
  return known;
}

std::vector<DrilledFile> ParseDrilled(const Json& json) {
  std::vector<DrilledFile> drilled;
  const auto list = json.find("others_drilled");
  if (list == json.end() || !list->is_array()) return drilled;
  for (const Json& each : *list) {
    if (drilled.size() == kMaxDrilledFiles) break;
    drilled.push_back({GetText(each, "file"), GetText(each, "sha256"),
                       Number(each, "drilled", backup::kMaxCreated)});
  }
  return drilled;
}

Error NoRecord(const std::filesystem::path& file) {
  return Malformed("the backup record " + file.string() +
                   " does not parse: remove it, and verify the backup again");
}

Result<BackupRecord> Parse(const std::filesystem::path& file) {
  KB_ASSIGN(const auto text, ReadFile(file, kMaxRecord));
  const Json json = Json::parse(text, nullptr, false);
  BackupRecord record;
  record.id = GetText(json, "id");
  if (record.id.empty() || file.stem() != record.id) return Fail(NoRecord(file));
  record.name = GetText(json, "name");
  record.type = GetText(json, "type");
  record.file = GetText(json, "file");
  record.sha256 = GetText(json, "sha256");
  record.sequence = Number(json, "sequence", backup::kMaxSequence);
  record.verified = Number(json, "verified", backup::kMaxCreated);
  record.proved = Number(json, "proved", backup::kMaxCreated);
  record.drilled = Number(json, "drilled", backup::kMaxCreated);
  record.drill_level = Number(json, "drill_level", 3U);
  record.deleted = Number(json, "deleted", backup::kMaxCreated);
  record.exported = Number(json, "exported", backup::kMaxSequence);
  record.known = ParseKnown(json);
  record.others_drilled = ParseDrilled(json);
  if (const auto external = json.find("external"); external != json.end()) {
    auto parsed = ParseExternal(*external);
    if (!parsed) return Fail(NoRecord(file));
    record.external = std::move(*parsed);
  }
  return record;
}

enum class Evidence { kVerified, kProved, kDrilled, kExported, kExportedFor };

bool IsProof(Evidence evidence) {
  return evidence != Evidence::kVerified && evidence != Evidence::kExportedFor;
}

// TakesThePlace tells whether the file just seen becomes the backup on record.
bool TakesThePlace(const BackupRecord& record, const SeenBackup& seen, Evidence evidence) {
  if (record.sha256 == seen.sha256 || record.proved == 0 || evidence == Evidence::kExported) {
    return true;
  }
  return IsProof(evidence) && record.sequence <= seen.manifest.sequence;
}

void Know(const std::string& sha256, int64_t now, std::vector<KnownFile>* known) {
  std::erase_if(*known, [&](const KnownFile& each) { return each.sha256 == sha256; });
  known->insert(known->begin(), {sha256, now});
  if (known->size() > kMaxKnownFiles) known->resize(kMaxKnownFiles);
}

// RememberDrilled keeps what a drill proved of a file that is not, or is about to be no more, the
// one on record.
void RememberDrilled(DrilledFile drilled, std::vector<DrilledFile>* others) {
  std::erase_if(*others, [&](const DrilledFile& each) { return each.sha256 == drilled.sha256; });
  others->insert(others->begin(), std::move(drilled));
  if (others->size() > kMaxDrilledFiles) others->resize(kMaxDrilledFiles);
}

void Replace(const SeenBackup& seen, BackupRecord* record) {
  if (record->sha256 != seen.sha256) {
    if (record->drilled != 0) {
      RememberDrilled({record->file, record->sha256, record->drilled}, &record->others_drilled);
    }
    record->verified = record->proved = record->drilled = 0;
    record->drill_level = 0;
  }
  record->name = seen.manifest.name;
  record->type = cryptoki::KeyTypeName(seen.manifest.type);
  record->file = seen.file;
  record->sha256 = seen.sha256;
  record->sequence = seen.manifest.sequence;
}

Status PutDown(const config::Settings& settings, const SeenBackup& seen, int64_t now,
               Evidence evidence, unsigned level = 0) {
  const std::string id = Hex(seen.manifest.id);
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, id));
  record.id = id;
  Know(seen.sha256, now, &record.known);
  const bool exported = evidence == Evidence::kExported || evidence == Evidence::kExportedFor;
  if (exported) record.exported = seen.manifest.sequence;
  if (exported || evidence == Evidence::kProved) record.deleted = 0;
  if (TakesThePlace(record, seen, evidence)) {
    Replace(seen, &record);
    record.verified = now;
    if (IsProof(evidence)) record.proved = now;
    if (evidence == Evidence::kDrilled) {
      record.drilled = now;
      record.drill_level = level;
    }
  } else if (evidence == Evidence::kDrilled) {
    RememberDrilled({seen.file, seen.sha256, now}, &record.others_drilled);
  }
  return StoreBackupRecord(settings, record);
}

}  // namespace

int64_t BackupRecord::VerifiedAt(const std::string& hash) const {
  const auto found = std::find_if(known.begin(), known.end(),
                                  [&](const KnownFile& each) { return each.sha256 == hash; });
  return found == known.end() ? 0 : found->verified;
}

uint64_t BackupRecord::NextNumber() const {
  const uint64_t highest = std::max(exported, proved == 0 ? 0 : sequence);
  return (highest < backup::kMaxSequence ? highest : exported) + 1;
}

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
  Json known = Json::array();
  for (const KnownFile& each : record.known) {
    known.push_back({{"sha256", each.sha256}, {"verified", each.verified}});
  }
  Json drilled = Json::array();
  for (const DrilledFile& each : record.others_drilled) {
    drilled.push_back({{"file", each.file}, {"sha256", each.sha256}, {"drilled", each.drilled}});
  }
  Json json{{"name", record.name},
            {"type", record.type},
            {"id", record.id},
            {"file", record.file},
            {"sha256", record.sha256},
            {"sequence", record.sequence},
            {"verified", record.verified},
            {"proved", record.proved},
            {"drilled", record.drilled},
            {"drill_level", record.drill_level},
            {"deleted", record.deleted},
            {"exported", record.exported},
            {"known", std::move(known)},
            {"others_drilled", std::move(drilled)}};
  if (record.external) json["external"] = ExternalJson(*record.external);
  const std::string text = json.dump(2) + "\n";
  if (text.size() > kMaxRecord) {
    return Fail(
        Malformed("the backup record of " + record.name + " would be larger than it may be"));
  }
  return WriteFileAtomically(RecordFile(settings, record.id), text, 0600);
}

Status RecordRefuted(const config::Settings& settings, const SeenBackup& seen) {
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, Hex(seen.manifest.id)));
  if (record.id.empty()) return {};
  std::erase_if(record.others_drilled,
                [&](const DrilledFile& each) { return each.sha256 == seen.sha256; });
  if (record.sha256 == seen.sha256) {
    record.proved = record.drilled = 0;
    record.drill_level = 0;
  }
  return StoreBackupRecord(settings, record);
}

Status RecordExported(const config::Settings& settings, const SeenBackup& seen, int64_t now) {
  return PutDown(settings, seen, now, Evidence::kExported);
}

Status RecordExportedFor(const config::Settings& settings, const SeenBackup& seen, int64_t now) {
  return PutDown(settings, seen, now, Evidence::kExportedFor);
}

Status RecordVerified(const config::Settings& settings, const SeenBackup& seen, int64_t now) {
  return PutDown(settings, seen, now, Evidence::kVerified);
}

Status RecordProved(const config::Settings& settings, const SeenBackup& seen, int64_t now) {
  return PutDown(settings, seen, now, Evidence::kProved);
}

Status RecordDrilled(const config::Settings& settings, const SeenBackup& seen, int64_t now,
                     unsigned level) {
  return PutDown(settings, seen, now, Evidence::kDrilled, level);
}

Status ForgetProofOn(const config::Settings& settings, const std::string& id,
                     const TokenIdentity& token) {
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, id));
  if (!record.external || record.external->drilled == 0) return {};
  if (!SameToken(record.external->standby, token)) return {};
  record.external->drilled = 0;
  return StoreBackupRecord(settings, record);
}

Status RecordOriginLost(const config::Settings& settings, const std::string& id,
                        const TokenIdentity& token, int64_t now) {
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, id));
  if (!record.external || !SameToken(record.external->origin, token)) return {};
  record.external->origin_lost = now;
  return StoreBackupRecord(settings, record);
}

Status RecordDeleted(const config::Settings& settings, const std::string& id, int64_t now) {
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, id));
  if (record.id.empty()) return {};
  record.deleted = now;
  return StoreBackupRecord(settings, record);
}

Result<size_t> ForgetProofs(const config::Settings& settings) {
  KB_ASSIGN(auto records, LoadBackupRecords(settings));
  size_t count = 0;
  for (BackupRecord& record : records) {
    if (!record.external || record.external->drilled == 0) continue;
    record.external->drilled = 0;
    KB_TRY(StoreBackupRecord(settings, record));
    ++count;
  }
  return count;
}

int64_t DaysSince(int64_t then, int64_t now) { return now <= then ? 0 : (now - then) / 86400; }

}  // namespace keybroker::cli
