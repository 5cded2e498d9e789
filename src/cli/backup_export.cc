#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>
#include <utility>

#include "cli/backup_commands.h"
#include "cli/backup_input.h"
#include "cli/backup_password.h"
#include "cli/backup_record.h"
#include "cli/backup_subject.h"
#include "cli/change.h"
#include "cli/in_parallel.h"
#include "cli/interruption.h"
#include "cli/layout.h"
#include "cli/progress_line.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"

namespace keybroker::cli {
namespace {

// So many keys are wrapped in one go: a command that waits for the lock gets its turn.
constexpr size_t kBatch = 16;

struct ExportOptions {
  TokenOptions token;
  PinOptions password;
  SubjectChoice choice;
  std::string output;
  std::string encryption;
  bool generate = false;
};

// Job is one key on its way into its file.
struct Job {
  BackupSubject subject;
  std::filesystem::path path;
  backup::Backup backup;
  Secret kek;
  Result<std::string> bytes = std::string();
  Status done;
  bool begun = false;  // its file was to be written: it has a place in record and answer
};

Result<std::optional<token::WrapAlgorithm>> ParseEncryption(const std::string& text) {
  if (text.empty()) return std::optional<token::WrapAlgorithm>();
  if (text == "key-wrap") return std::optional(token::WrapAlgorithm::kAesKeyWrapPad);
  if (text == "cbc") return std::optional(token::WrapAlgorithm::kAesCbcPad);
  return Fail(WrongUsage("\"" + text + "\" is not an encryption: key-wrap or cbc"));
}

// PathOf names a file after what is in it, so that no backup takes the place of another.
std::filesystem::path PathOf(const std::filesystem::path& directory,
                             const backup::Manifest& manifest) {
  std::string stem = ReferenceFileName(manifest.name, manifest.type);
  stem.erase(stem.rfind(".pem"));
  return directory / (stem + "." + Hex(manifest.id).substr(0, 8) + "." +
                      std::to_string(manifest.sequence) + ".p12");
}

Result<std::vector<Job>> Jobs(std::vector<BackupSubject> subjects, const std::string& output) {
  const auto target = std::filesystem::absolute(output).lexically_normal();
  std::error_code none;  // what cannot be looked at is refused when it is written
  const bool directory = std::filesystem::is_directory(target, none);
  if (subjects.size() > 1 && !directory) {
    return Fail(NotFound("there are " + std::to_string(subjects.size()) + " keys to back up, and " +
                         target.string() +
                         " is no directory: make it (mkdir -m 700), or name one "
                         "key and its --type"));
  }
  std::vector<Job> jobs;
  for (BackupSubject& subject : subjects) {
    Job job;
    job.path = directory ? PathOf(target, subject.manifest) : target;
    if (std::filesystem::exists(job.path, none)) {
      return Fail(Conflict(job.path.string() + " exists: no backup is ever overwritten. Nothing "
                                               "was made"));
    }
    job.subject = std::move(subject);
    jobs.push_back(std::move(job));
  }
  return jobs;
}

// WrapAll wraps the batch's keys, each under its own KEK, in one process of the token's.
Result<Json> WrapAll(const TokenAccess& access, const std::vector<Job*>& batch,
                     std::optional<token::WrapAlgorithm> algorithm) {
  std::vector<const Secret*> keks;
  keks.reserve(batch.size());
  for (const Job* job : batch) keks.push_back(&job->kek);
  return access.Run(false, keks, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    Json list = Json::array();
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto& manifest = batch[i]->subject.manifest;
      const auto key = std::find_if(keys.keys.begin(), keys.keys.end(),
                                    [&](const auto& each) { return each.id == manifest.id; });
      if (key == keys.keys.end() || key->spki != manifest.spki) {
        list.push_back({{"error", "the key has gone from the token meanwhile"}});
        continue;
      }
      const auto wrapped = token::WrapPrivateKey(token.session, *key, token.secrets[i], algorithm);
      list.push_back(wrapped ? Json{{"algorithm", token::WrapAlgorithmName(wrapped->algorithm)},
                                    {"iv", Hex(wrapped->iv)},
                                    {"bytes", Hex(wrapped->bytes)}}
                             : Json{{"error", wrapped.error().detail}});
    }
    return list;
  });
}

Result<token::WrappedKey> Unpack(const Json& json) {
  if (json.contains("error")) return Fail(TokenFailed(GetText(json, "error")));
  token::WrappedKey wrapped;
  const bool cbc =
      GetText(json, "algorithm") == token::WrapAlgorithmName(token::WrapAlgorithm::kAesCbcPad);
  wrapped.algorithm = cbc ? token::WrapAlgorithm::kAesCbcPad : token::WrapAlgorithm::kAesKeyWrapPad;
  KB_ASSIGN(wrapped.iv, ParseHex(GetText(json, "iv")));
  KB_ASSIGN(wrapped.bytes, ParseHex(GetText(json, "bytes")));
  return wrapped;
}

// Derive makes each job its KDF and KEK.
void Derive(const std::vector<Job*>& batch, const Secret& password, uint32_t iterations) {
  InParallel(batch.size(), [&](size_t i) {
    Job& job = *batch[i];
    auto kdf = backup::NewKdf(iterations);
    auto kek = kdf ? backup::DeriveKek(password, *kdf) : Result<Secret>(Fail(kdf.error()));
    if (!kek) {
      job.done = Fail(kek.error());
      return;
    }
    job.backup.kdf = std::move(*kdf);
    job.backup.mac_iterations = 2 * iterations;
    job.kek = std::move(*kek);
  });
}

// ReadBack proves what is on the disk, not what was meant to be.
Status ReadBack(const Job& job, const Secret& password) {
  KB_ASSIGN(const auto bytes, ReadFile(job.path, backup::kMaxFile));
  const auto opened = backup::OpenBackup(bytes, password);
  if (opened && bytes == *job.bytes && opened->manifest == job.backup.manifest) return {};
  return Fail(Internal(job.path.string() + " was written, but reads back otherwise" +
                       (opened ? std::string() : ": " + opened.error().detail) +
                       ". Is the disk sound? It does not count as a backup"));
}

// WriteAll begins no further file once the command is asked to end; those begun become whole.
void WriteAll(const std::vector<Job*>& batch, const Secret& password, ProgressLine& progress) {
  InParallel(batch.size(), [&](size_t i) {
    Job& job = *batch[i];
    if (Interruption::Asked()) return;
    job.begun = true;
    if (!job.done) return;
    job.bytes = backup::FormatBackup(job.backup, password);
    job.done = job.bytes ? WriteFileAtomically(job.path, *job.bytes, 0600, Overwrite::kRefuse)
                         : Status(Fail(job.bytes.error()));
    if (job.done) job.done = ReadBack(job, password);
    progress.OneMore();
  });
}

// PutDown keeps record and audit of a job, whatever became of it.
Status PutDown(const config::Settings& settings, const TokenAccess& access, Change& change,
               Job& job) {
  const auto& manifest = job.subject.manifest;
  const std::string sha256 = job.done ? backup::FileSha256(*job.bytes) : "none";
  if (job.done) {
    KB_TRY(RecordExported(settings, {job.path, sha256, manifest}, std::time(nullptr)));
  }
  return change.Record(
      {"backup-export", manifest.name, Hex(manifest.id),
       "token " + access.config().name + ", file " + job.path.string() + ", sha256 " + sha256},
      job.done);
}

Status ExportBatch(const config::Settings& settings, const TokenAccess& access,
                   const std::vector<Job*>& batch, const Secret& password,
                   std::optional<token::WrapAlgorithm> algorithm, ProgressLine& progress) {
  KB_ASSIGN(Change change, Change::Begin(settings));
  Derive(batch, password, settings.backup_iterations);
  for (const Job* job : batch) KB_TRY(job->done);
  const ChangeRecord record{
      "backup-export", "", "",
      "token " + access.config().name + ", " + std::to_string(batch.size()) + " keys"};
  KB_ASSIGN(const Json wrapped,
            Recorded(change, record, [&] { return WrapAll(access, batch, algorithm); }));
  if (!wrapped.is_array() || wrapped.size() != batch.size()) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    Job& job = *batch[i];
    job.kek = Secret();
    job.backup.manifest = job.subject.manifest;
    job.backup.chain = job.subject.chain;
    auto key = Unpack(wrapped[i]);
    if (key) {
      job.backup.key = std::move(*key);
    } else {
      job.done = Fail(key.error());
    }
  }
  WriteAll(batch, password, progress);
  for (Job* job : batch) {
    if (job->begun) KB_TRY(PutDown(settings, access, change, *job));
  }
  return {};
}

void Report(const Job& job, Answer& answer) {
  const auto& manifest = job.subject.manifest;
  if (!job.done) {
    answer.good = false;
    answer.notes.push_back(manifest.name + ": no backup was made: " + job.done.error().detail);
    answer.json["failed"].push_back({{"name", manifest.name},
                                     {"type", cryptoki::KeyTypeName(manifest.type)},
                                     {"message", job.done.error().detail}});
    return;
  }
  const BackupInput input{job.path, *job.bytes, backup::FileSha256(*job.bytes)};
  const Json json = BackupJson(input, job.backup, true);
  answer.text += "wrote and read back the backup of " + manifest.name + "\n" + BackupText(json) +
                 "  " + EmergencyWay(input.path) + "\n";
  if (job.subject.chain.empty()) {
    answer.notes.push_back(manifest.name + " has no certificate yet: its backup has none either");
  }
  answer.json["backups"].push_back(json);
}

// WarnOfDirectory: who may write there can put another file in the place of a backup, or none.
void WarnOfDirectory(const std::vector<Job>& jobs, Answer& answer) {
  if (jobs.empty()) return;
  const auto directory = jobs.front().path.parent_path();
  std::error_code none;
  const auto mode = std::filesystem::status(directory, none).permissions();
  using std::filesystem::perms;
  if (none || (mode & (perms::group_write | perms::others_write)) == perms::none) return;
  answer.notes.push_back(EscapeUnprintable(directory.string()) +
                         " is writable for others, who can exchange or remove what is in it: "
                         "chmod go-w, or move the backups");
}

// ReportNotBegun says how far the command came that was asked to end.
void ReportNotBegun(const std::vector<Job>& jobs, Answer& answer) {
  answer.json["interrupted"] = false;
  answer.json["not_begun"] = Json::array();
  for (const Job& job : jobs) {
    if (!job.begun) answer.json["not_begun"].push_back(job.subject.manifest.name);
  }
  const size_t left = answer.json["not_begun"].size();
  if (left == 0) return;
  answer.good = false;
  answer.json["interrupted"] = true;
  answer.notes.push_back("interrupted: " + std::to_string(answer.json["backups"].size()) + " of " +
                         std::to_string(jobs.size()) +
                         " keys are backed up, each file whole, read back and on record; of the "
                         "other " +
                         std::to_string(left) + " nothing was written");
}

Result<Answer> Finish(const std::vector<Job>& jobs, const std::vector<std::string>& left_out) {
  Answer answer;
  answer.json = {{"backups", Json::array()}, {"failed", Json::array()}, {"left_out", left_out}};
  for (const Job& job : jobs) {
    if (job.begun) Report(job, answer);
  }
  ReportNotBegun(jobs, answer);
  WarnOfDirectory(jobs, answer);
  for (const std::string& key : left_out) {
    answer.notes.push_back(key + " is not exportable, so it has no backup");
  }
  if (jobs.empty()) answer.text = "no key of the token is exportable, so there was nothing to do\n";
  if (!answer.json["backups"].empty()) {
    answer.text +=
        "next: copy it off this host, then keybroker drill FILE, then keybroker key seal "
        "NAME";
  }
  return answer;
}

Status ExportAll(const config::Settings& settings, const TokenAccess& access,
                 std::vector<Job>& jobs, const Secret& password,
                 std::optional<token::WrapAlgorithm> algorithm) {
  const Interruption interruption;
  ProgressLine progress(jobs.size(), "keys backed up");
  for (size_t at = 0; at < jobs.size() && !Interruption::Asked(); at += kBatch) {
    std::vector<Job*> batch;
    for (size_t i = at; i < std::min(jobs.size(), at + kBatch); ++i) batch.push_back(&jobs[i]);
    const Status done = ExportBatch(settings, access, batch, password, algorithm, progress);
    // Asked to end, it gives up the lock or the token that it was waiting for: no failure.
    if (done || Interruption::Asked()) continue;
    Error error = done.error();
    if (at > 0) {
      error.detail += ". Before that " + std::to_string(at) + " of " + std::to_string(jobs.size()) +
                      " keys were gone through; their backups are on record";
    }
    return Fail(std::move(error));
  }
  return {};
}

Result<Answer> Export(const Invocation& invocation, const ExportOptions& options) {
  if (options.choice.all == !options.choice.names.empty()) {
    return Fail(WrongUsage("name the keys to back up, or say --all"));
  }
  if (!options.choice.type.empty()) KB_TRY(ParseType(options.choice.type));
  if (options.output == "-") {
    return Fail(WrongUsage("a backup goes to a file, which is read back: -o FILE or DIRECTORY"));
  }
  KB_ASSIGN(const auto algorithm, ParseEncryption(options.encryption));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  std::vector<std::string> left_out;
  KB_ASSIGN(auto subjects, BackupSubjects(settings, access, options.choice, &left_out));
  KB_ASSIGN(auto jobs, Jobs(std::move(subjects), options.output));
  if (jobs.empty()) return Finish(jobs, left_out);
  KB_ASSIGN(const Secret password, NewBackupPassword(settings, options.password, options.generate));
  KB_TRY(ExportAll(settings, access, jobs, password, algorithm));
  return Finish(jobs, left_out);
}

}  // namespace

void AddBackupExport(const Command& noun) {
  auto options = std::make_shared<ExportOptions>();
  const Command verb =
      noun.Verb("export",
                "write keys as password-wrapped PKCS#12 files; the key itself never "
                "leaves the token in the clear",
                "keybroker backup export mail.example.test -o /safe");
  verb.Arguments("NAME", options->choice.names, "key names; the current key of each type")
      .Flag("--all", options->choice.all, "every exportable key, older generations too")
      .Required("-o,--output", options->output, "the file, or the directory for files")
      .Option("--type", options->choice.type, "rsa or ec only")
      .Option("--encryption", options->encryption,
              "key-wrap (RFC 5649; opens in OpenSSL) or cbc (opens in NSS, Java and GnuTLS too); "
              "default: the first that the token can")
      .Flag("--generate", options->generate, "make the password, and show it once");
  AddPasswordOptions(verb, options->password);
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return Export(i, *options); });
}

}  // namespace keybroker::cli
