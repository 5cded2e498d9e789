#include "cli/backup_export_job.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cli/layout.h"
#include "keybroker/backup/cms.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"

namespace keybroker::cli {
namespace {

// Opens tells why the bytes are no backup such as the job's; empty: they are.
std::string Opens(const std::string& bytes, const Secret& password, const ExportJob& job) {
  const auto opened = job.backup.format == backup::FileFormat::kCms
                          ? backup::ReadBackup(bytes)
                          : backup::OpenBackup(bytes, password);
  if (!opened) return opened.error().detail;
  return opened->manifest == job.backup.manifest ? "" : "its manifest is another";
}

// ReadBack proves what is on the disk, not what was meant to be.
Status ReadBack(const Secret& password, const ExportJob& job) {
  const std::string path = job.path.string();
  KB_ASSIGN(const auto bytes, ReadFile(job.path, backup::kMaxFile));
  if (bytes != *job.bytes) {
    return Fail(Internal(path + " was written, but reads back otherwise. Is the disk sound?"));
  }
  const std::string why = Opens(bytes, password, job);
  if (why.empty()) return {};
  return Fail(Internal(path + " was written as it was meant to be, but does not open: " + why));
}

}  // namespace

std::filesystem::path BackupPathIn(const std::filesystem::path& directory,
                                   const backup::Manifest& manifest, backup::FileFormat format) {
  std::string stem = ReferenceFileName(manifest.name, manifest.type);
  stem.erase(stem.rfind(".pem"));
  return directory /
         (stem + "." + Hex(manifest.id).substr(0, 8) + "." + std::to_string(manifest.sequence) +
          (format == backup::FileFormat::kCms ? ".cms" : ".p12"));
}

Status DeriveJobKek(const Secret& password, uint32_t iterations, ExportJob* job) {
  KB_ASSIGN(job->backup.kdf, backup::NewKdf(iterations));
  job->backup.mac_iterations = 2 * iterations;
  KB_ASSIGN(job->kek, backup::DeriveKek(password, job->backup.kdf));
  return {};
}

Status WriteJob(const Secret& password, ExportJob* job) {
  job->bytes = job->backup.format == backup::FileFormat::kCms
                   ? backup::FormatCms(job->backup)
                   : backup::FormatBackup(job->backup, password);
  if (!job->bytes) return Fail(job->bytes.error());
  KB_ASSIGN(StagedFile file, StagedFile::Write(job->path, *job->bytes, 0600));
  KB_TRY(file.Publish(Overwrite::kRefuse));
  job->file.emplace(std::move(file));
  Status sound = ReadBack(password, *job);
  if (sound) return sound;
  // Nobody shall take it for a backup.
  Error error = sound.error();
  const Status removed = RemoveJob(job);
  error.detail += removed ? ". It was removed again" : ". " + removed.error().detail;
  return Fail(std::move(error));
}

Status RemoveJob(ExportJob* job) {
  const Status removed = job->file ? job->file->Retract() : Status();
  if (!removed) {
    return Fail(Internal("The file could not be removed (" + removed.error().detail + "): remove " +
                         job->path.string()));
  }
  job->file.reset();
  return {};
}

std::vector<std::string> DirectoryNotes(const std::filesystem::path& file) {
  const auto directory = DirectoryOf(file);
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return {};
  const std::string name = EscapeUnprintable(directory.string());
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return {name + " belongs to user " + std::to_string(info.st_uid) +
            ", who can exchange or remove what is in it: chown it, or move the backups"};
  }
  const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (!others_write || (info.st_mode & S_ISVTX) != 0) return {};
  return {name +
          " is writable for others, who can exchange or remove what is in it: chmod go-w, or move "
          "the backups"};
}

Result<const token::KeyPair*> KeyOfJob(const token::KeyList& keys, const ExportJob& job) {
  const auto& manifest = job.subject.manifest;
  const auto key = std::find_if(keys.keys.begin(), keys.keys.end(),
                                [&](const auto& each) { return each.id == manifest.id; });
  if (key != keys.keys.end() && key->spki == manifest.spki) return &*key;
  return Fail(NotFound("the key has gone from the token meanwhile"));
}

Json WrappedJson(const token::WrappedKey& wrapped) {
  return {{"algorithm", token::WrapAlgorithmName(wrapped.algorithm)},
          {"iv", Hex(wrapped.iv)},
          {"bytes", Hex(wrapped.bytes)}};
}

Result<token::WrappedKey> UnpackWrapped(const Json& json) {
  if (json.contains("error")) return Fail(TokenFailed(GetText(json, "error")));
  token::WrappedKey wrapped;
  const bool cbc =
      GetText(json, "algorithm") == token::WrapAlgorithmName(token::WrapAlgorithm::kAesCbcPad);
  wrapped.algorithm = cbc ? token::WrapAlgorithm::kAesCbcPad : token::WrapAlgorithm::kAesKeyWrapPad;
  KB_ASSIGN(wrapped.iv, ParseHex(GetText(json, "iv")));
  KB_ASSIGN(wrapped.bytes, ParseHex(GetText(json, "bytes")));
  return wrapped;
}

Status TakeWrapped(const Json& json, ExportJob* job) {
  job->kek = Secret();
  job->backup.manifest = job->subject.manifest;
  job->backup.chain = job->subject.chain;
  KB_ASSIGN(job->backup.key, UnpackWrapped(json));
  return {};
}

}  // namespace keybroker::cli
