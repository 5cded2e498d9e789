#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/backup_subject.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/file.h"
#include "keybroker/token/key_pair.h"

namespace keybroker::cli {

// ExportJob is one key on its way into its file.
struct ExportJob {
  BackupSubject subject;
  std::filesystem::path directory;  // empty: path was named
  std::filesystem::path path;
  backup::Backup backup;
  Secret kek;  // kPkcs12
  Result<std::string> bytes = std::string();
  std::optional<StagedFile> file;  // once it is published, until it is removed
  Status done;
  bool begun = false;  // its file was to be written: it has a place in record and answer
};

using ExportBatch = std::vector<ExportJob*>;

// BackupPathIn names a file in directory after what is in it, so that no backup takes the place of
// another.
std::filesystem::path BackupPathIn(const std::filesystem::path& directory,
                                   const backup::Manifest& manifest, backup::FileFormat format);

// DeriveJobKek makes the job its KDF, and by it the KEK.
Status DeriveJobKek(const Secret& password, uint32_t iterations, ExportJob* job);

// WriteJob writes the file of job.backup, never over another one, and reads it back from the disk:
// it opens, by password unless it is a CMS file, and is what it was meant to be. One that does not
// is removed again.
Status WriteJob(const Secret& password, ExportJob* job);

// RemoveJob takes the file of a job away again, durably. Internal when it may still be there.
Status RemoveJob(ExportJob* job);

// DirectoryNotes warns where others than root and whoever runs this can put another file in the
// place of a backup, or none: the directory is theirs, or is writable for them and not sticky.
std::vector<std::string> DirectoryNotes(const std::filesystem::path& file);

// KeyOfJob finds the job's key on the token, in the token's process.
Result<const token::KeyPair*> KeyOfJob(const token::KeyList& keys, const ExportJob& job);

// WrappedJson and UnpackWrapped carry a wrapped key out of the token's process. What could not be
// wrapped is an object {"error": …}.
Json WrappedJson(const token::WrappedKey& wrapped);
Result<token::WrappedKey> UnpackWrapped(const Json& json);

// TakeWrapped makes job.backup whole with what came out so, and forgets the KEK.
Status TakeWrapped(const Json& json, ExportJob* job);

}  // namespace keybroker::cli
