#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/backup_subject.h"
#include "keybroker/backup/backup_file.h"
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
  Status done;
  bool begun = false;  // its file was to be written: it has a place in record and answer
};

using ExportBatch = std::vector<ExportJob*>;

// KeyOfJob finds the job's key on the token, in the token's process.
Result<const token::KeyPair*> KeyOfJob(const token::KeyList& keys, const ExportJob& job);

// WrappedJson and UnpackWrapped carry a wrapped key out of the token's process. What could not be
// wrapped is an object {"error": …}.
Json WrappedJson(const token::WrappedKey& wrapped);
Result<token::WrappedKey> UnpackWrapped(const Json& json);

}  // namespace keybroker::cli
