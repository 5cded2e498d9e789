#include "cli/restore_to_file.h"

#include <filesystem>

#include "cli/change.h"
#include "cli/pin.h"
#include "keybroker/backup/private_key_pem.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

Status WriteKey(const backup::Backup& backup, const Secret& kek, const std::string& path) {
  KB_ASSIGN(const Secret pem, backup::PrivateKeyPem(backup, kek));
  const auto bytes = pem.Expose();
  return WriteFileAtomically(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                             0600, Overwrite::kRefuse);
}

Answer Told(const BackupInput& input, const backup::Manifest& manifest, const std::string& path) {
  Answer answer =
      MakeAnswer("wrote the private key of " + manifest.name + " (" +
                     std::string(cryptoki::KeyTypeName(manifest.type)) + ", id " +
                     Hex(manifest.id) + ") in the clear to " + path +
                     "\nnext: bring it onto the token with its vendor's tool, then: shred -u " +
                     ShellQuote(path),
                 {{"file", input.path},
                  {"sha256", input.sha256},
                  {"written", std::filesystem::absolute(path).string()},
                  {"key", {{"name", manifest.name}, {"id", Hex(manifest.id)}}}});
  answer.notes = {"whoever can read that file has the key: keep it no longer than it takes"};
  if (!IsInMemory(DirectoryOf(path))) {
    answer.notes.push_back(
        "it is on a disk, where a deleted file may be found again: a file in /dev/shm is not");
  }
  return answer;
}

}  // namespace

Result<Answer> RestoreToFile(const std::optional<config::Settings>& settings,
                             const BackupInput& input, const backup::Backup& backup,
                             const Secret& kek, const std::string& path, bool yes) {
  const auto& manifest = backup.manifest;
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    return Fail(Conflict(path + " exists: it was left as it is"));
  }
  KB_TRY(Confirm("This writes the private key of " + manifest.name + " in the clear to " + path,
                 manifest.name, yes));
  Answer answer = Told(input, manifest, path);
  if (!settings) {
    KB_TRY(WriteKey(backup, kek, path));
    answer.notes.push_back(
        "this host has no configuration, so no audit log holds that it was done");
    return answer;
  }
  KB_ASSIGN(Change change, Change::Begin(*settings));
  const ChangeRecord record{
      "backup-restore-to-file", manifest.name, Hex(manifest.id),
      "in the clear to " + path + ", " + RecordedFile(input.path, input.sha256)};
  // First: where it cannot be recorded, or is killed in the middle, no key lies about unrecorded.
  KB_TRY(change.Record(record, {}));
  KB_TRY(Recorded(change, record, [&] { return WriteKey(backup, kek, path); }));
  return answer;
}

}  // namespace keybroker::cli
