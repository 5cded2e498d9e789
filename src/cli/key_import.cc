#include <openssl/rand.h>

#include <ctime>
#include <filesystem>
#include <memory>
#include <utility>

#include "cli/arriving_key.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/key_commands.h"
#include "cli/key_file.h"
#include "cli/note_arrived.h"
#include "cli/pin.h"
#include "cli/token_access.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/secret_file.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/policy/listener.h"
#include "keybroker/token/import_key.h"

namespace keybroker::cli {
namespace {

using backup::KeyFileDefect;
using backup::KeyFileError;

constexpr ArrivalWords kWords{"imported", "file"};

struct ImportOptions {
  TokenOptions token;
  PinOptions password;
  std::string file;
  std::string name;
  bool exportable = false;
  bool allow_weak = false;
  bool force = false;
};

// Source is the file as it was read from the disk.
struct Source {
  std::string path;  // absolute
  SecretFile file;
  std::string sha256;
};

Result<Source> ReadSource(const std::string& path) {
  Source source;
  std::error_code error;
  source.path = std::filesystem::absolute(path, error).lexically_normal();
  KB_ASSIGN(source.file, ReadWholeSecretFile(path, backup::kMaxKeyFile));
  const auto bytes = source.file.content.Expose();
  source.sha256 = backup::FileSha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return source;
}

Status CheckAllowed(const config::Settings& settings, const ImportOptions& options) {
  if (!options.name.empty()) KB_TRY(policy::CheckKeyName(options.name));
  if (!options.exportable || settings.backup_restore_exportable) return {};
  return Fail(
      Denied("the administrator does not allow keys from files to be exportable: "
             "restore_exportable in [backup] of " +
             settings.file.string() + " would"));
}

// IsBackup: of keybroker's own files the CMS ones are none that an import takes.
bool IsBackup(const Source& source) {
  const auto bytes = source.file.content.Expose();
  const auto format = backup::FormatOf({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return format && *format == backup::FileFormat::kCms;
}

Answer Refused(const Source& source, KeyFileError error) {
  if (IsBackup(source)) {
    error.detail +=
        ". It is a signed CMS file: a backup that keybroker made is put back with "
        "`keybroker backup restore " +
        ShellQuote(source.path) + " --recovery-key KEY`";
  }
  Answer answer;
  answer.good = false;
  answer.exit_when_not_good = static_cast<int>(error.defect);
  answer.json["file"] = source.path;
  answer.json["sha256"] = source.sha256;
  answer.json["error"] = {{"code", backup::KeyFileDefectName(error.defect)},
                          {"message", error.detail}};
  answer.notes.push_back(source.path + ": " + error.detail);
  return answer;
}

// RecordRefusal puts a refused file, a wrong password among them, into the operator's audit chain.
void RecordRefusal(const config::Settings& settings, const Source& source,
                   const KeyFileError& error, Answer& answer) {
  auto change = Change::Begin(settings);
  Status recorded = change ? Status() : Status(Fail(change.error()));
  if (change) {
    const Error why = error.defect == KeyFileDefect::kPassword ? Denied("") : Malformed("");
    recorded = change->Record({"key-import", "", "",
                               std::string(backup::KeyFileDefectName(error.defect)) + ", " +
                                   RecordedFile(source.path, source.sha256)},
                              Fail(why));
  }
  if (recorded) return;
  answer.notes.push_back("that is not in the audit log: " + recorded.error().detail);
}

// Open reads the file without a password first, to ask for one only where one is wanted.
Result<backup::KeyFileResult<KeyFile>> Open(const Source& source, const ImportOptions& options,
                                            const Secret& kek) {
  KeyFileRequest request{source.file.content, nullptr, kek, options.allow_weak};
  KB_ASSIGN(auto file, OpenKeyFile(request));
  if (file || file.error().defect != KeyFileDefect::kPasswordWanted) return file;
  KB_ASSIGN(const Secret password, AskPin(options.password, "password of " + source.path, false));
  request.password = &password;
  return OpenKeyFile(request);
}

// CheckName refuses what is most likely mistyped: a key on a token is not renamed.
Status CheckName(const ImportOptions& options, const ArrivingKey& key, const std::string& names) {
  if (names.empty() || options.force || credential::FitsName(key.chain.front(), options.name)) {
    return {};
  }
  return Fail(WrongUsage("the file's certificate is for " + names + ", not for " + options.name +
                         ", and a key keeps the name that it is imported with: correct --name, or "
                         "say --force. Nothing was done"));
}

// ChooseName is the name that was given, or the one that the file's certificate is for.
Result<std::string> ChooseName(const ImportOptions& options, const ArrivingKey& key) {
  std::string names;
  size_t count = 0;
  for (const auto& certificate : key.chain) {
    for (const std::string& name : certificate.dns_names) {
      if (!policy::CheckKeyName(name)) continue;
      names += (names.empty() ? "" : ", ") + name;
      ++count;
    }
    break;  // the key's own certificate
  }
  if (!options.name.empty()) {
    KB_TRY(CheckName(options, key, names));
    return options.name;
  }
  if (count == 1) return names;
  return Fail(WrongUsage(count == 0 ? "the file says no DNS name that its key is for: say one with "
                                      "--name"
                                    : "the file's certificate is for several names (" + names +
                                          "): say with --name which one the key is to have"));
}

void NotesOnCertificate(const ArrivingKey& key, Answer& answer) {
  if (key.chain.empty()) {
    answer.notes.push_back("no certificate came with the key: `keybroker certificate install " +
                           ShellQuote(key.name) + " FILE` adds one");
    return;
  }
  const auto& leaf = key.chain.front();
  if (!credential::FitsName(leaf, key.name)) {
    answer.notes.push_back("the certificate (" + leaf.subject + ") is not for " + key.name +
                           " by a subjectAltName: clients of today will refuse it");
  }
  if (leaf.not_after < std::time(nullptr)) {
    answer.notes.push_back("the certificate expired at " + credential::FormatTime(leaf.not_after) +
                           ": `keybroker request create` makes the request for a new one");
  }
}

void NotesOnSource(const Source& source, Answer& answer) {
  if ((source.file.mode & 077) != 0) {
    answer.notes.push_back("others than its owner may open " + source.path +
                           ": whoever could read it may have the key already");
  }
}

// IsOwnBackup: the file has our manifest, whoever wrote that.
bool IsOwnBackup(const Source& source) {
  const auto bytes = source.file.content.Expose();
  return backup::ReadBackup({reinterpret_cast<const char*>(bytes.data()), bytes.size()})
      .has_value();
}

std::string Advice(const Source& source, const ImportOptions& options, const ArrivingKey& key) {
  if (IsOwnBackup(source)) {
    return source.path +
           " is a backup that keybroker made: keep it as it is. `keybroker backup restore " +
           ShellQuote(source.path) +
           "` is the command for one, which also goes by what it says of its key and puts that on "
           "record";
  }
  const std::string which =
      ShellQuote(key.name) + " --type " + std::string(cryptoki::KeyTypeName(key.type));
  return std::string(
             options.exportable
                 ? "next: keybroker backup export " + which + " -o FILE, then keybroker key seal " +
                       which + "\n"
                 : "the key is not exportable: but for this file and its copies there is no "
                   "backup of it\n") +
         source.path +
         " still holds the private key. Once its copy for the safe is made, delete it, and every "
         "other copy: shred -u " +
         ShellQuote(source.path) +
         "\nkeybroker deletes no source. A key that was in a file is as secret as that "
         "file ever was: `keybroker key generate` makes one that never was in any";
}

Result<Json> ImportOnToken(LoggedIn& token, const KeyFile& file, bool exportable,
                           const Challenge& challenge) {
  const token::UnwrapSpec spec{file.key.name, file.key.type, file.key.spki, exportable,
                               token.profile.allowed_mechanisms};
  bool in_the_clear = false;
  ArrivingKey arriving = file.key;
  arriving.exportable = exportable;
  const KeyMaker make = [&](LoggedIn& to) -> Result<token::KeyPair> {
    KB_ASSIGN(auto imported, token::ImportKey(to.session, file.forms, to.secrets[0], spec));
    in_the_clear = imported.in_the_clear;
    return std::move(imported.key);
  };
  KB_ASSIGN(Json outcome, ArriveOnToken(token, arriving, challenge, make));
  outcome["in_the_clear"] = in_the_clear;
  return outcome;
}

// RecordExportable begins the key's backup record, so that doctor asks for one.
Status RecordExportable(const config::Settings& settings, const ArrivingKey& key) {
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, Hex(key.id)));
  record.name = key.name;
  record.type = cryptoki::KeyTypeName(key.type);
  record.id = Hex(key.id);
  return StoreBackupRecord(settings, record);
}

Answer Tell(const Source& source, const KeyFile& file, const Json& outcome,
            const std::string& token) {
  Answer answer = MakeAnswer(ArrivalText(outcome, file.key, token, kWords),
                             {{"file", source.path},
                              {"sha256", source.sha256},
                              {"format", file.format},
                              {"protection", file.protection},
                              {"present", outcome["present"]},
                              {"completed", outcome["completed"]},
                              {"differences", outcome["differences"]},
                              {"in_the_clear", outcome["in_the_clear"]},
                              {"key", outcome["key"]}});
  answer.notes = file.notes;
  for (std::string& note : RemovedNotes(outcome)) answer.notes.push_back(std::move(note));
  if (GetBool(outcome, "in_the_clear")) {
    answer.notes.push_back(
        "the token unwraps keys in no way that keybroker knows, so the key was given to it in the "
        "clear (C_CreateObject): the vendor's module saw it");
  }
  NotesOnSource(source, answer);
  return answer;
}

Result<Answer> Finish(Change& change, const ImportOptions& options, const Source& source,
                      const KeyFile& file, const Json& outcome, const std::string& token) {
  const config::Settings& settings = change.settings();
  const bool present = GetBool(outcome, "present");
  Answer answer = Tell(source, file, outcome, token);
  const ChangeRecord record{"key-import", file.key.name, Hex(file.key.id),
                            "token " + token + ", " + file.format +
                                (GetBool(outcome, "in_the_clear") ? ", in the clear" : "") +
                                (present ? ", already there, " : ", ") +
                                RecordedFile(source.path, source.sha256)};
  KB_ASSIGN(const bool is_new, NoteArrived(change, record, file.key, outcome, kWords, answer));
  if (is_new) {
    NotesOnCertificate(file.key, answer);
    answer.text += Advice(source, options, file.key);
  }
  const Status begun =
      options.exportable && !present ? RecordExportable(settings, file.key) : Status();
  if (!begun) answer.notes.push_back("doctor will not ask for its backup: " + begun.error().detail);
  KB_TRY(change.Done(record, answer));
  return answer;
}

Result<Secret> RandomKek() {
  KB_ASSIGN(Secret kek, Secret::Allocate(token::kKekSize));
  if (RAND_bytes(kek.Buffer().data(), static_cast<int>(token::kKekSize)) != 1) {
    return Fail(Internal("no random bytes"));
  }
  kek.SetSize(token::kKekSize);
  return kek;
}

Result<Answer> KeyImport(const Invocation& invocation, const ImportOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_TRY(CheckAllowed(settings, options));
  KB_ASSIGN(const Source source, ReadSource(options.file));
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  KB_ASSIGN(const Secret kek, RandomKek());
  KB_ASSIGN(auto file, Open(source, options, kek));
  if (!file) {
    Answer answer = Refused(source, file.error());
    RecordRefusal(settings, source, file.error(), answer);
    return answer;
  }
  KB_ASSIGN(file->key.name, ChooseName(options, file->key));
  KB_ASSIGN(Change change, Change::Begin(settings));
  const ChangeRecord record{"key-import", file->key.name, Hex(file->key.id),
                            "token " + access.config().name + ", file " + source.path};
  KB_ASSIGN(const Challenge challenge, NewChallenge());
  const auto import = [&]() -> Result<Json> {
    KB_ASSIGN(Json arrived, access.Run(true, {&kek}, [&](LoggedIn& token) {
      return ImportOnToken(token, *file, options.exportable, challenge);
    }));
    KB_TRY(CheckArrived(arrived, file->key, challenge));
    return arrived;
  };
  KB_ASSIGN(const Json outcome, Recorded(change, record, import));
  return Finish(change, options, source, *file, outcome, access.config().name);
}

}  // namespace

void AddKeyImport(const Command& noun) {
  auto options = std::make_shared<ImportOptions>();
  const Command verb = noun.Verb(
      "import",
      "bring the key of a file that another program made onto the token: PKCS#8, RSA or EC PRIVATE "
      "KEY, PKCS#12, or a Key Manager backup file (.key). It signs before it counts; the file is "
      "left as it is. Exit status for a file that is not taken: docs/import.md",
      "keybroker key import backup.key --name mail.example.test --token main");
  verb.Argument("FILE", options->file, "the key file")
      .Option("--name", options->name,
              "key name, an FQDN (default: the one name that the file's certificate is for)")
      .Flag("--exportable", options->exportable,
            "let the key be backed up from the token; [backup] restore_exportable must allow it")
      .Flag("--force", options->force,
            "take --name also where the file's certificate is for others")
      .Flag("--allow-weak", options->allow_weak, "take an RSA key below 2048 bits all the same");
  options->password.stem = options->password.word = "password";
  verb.Option("--password-file", options->password.file,
              "read the key file's password from another file's first line (mode 0600)")
      .Option("--password-fd", options->password.fd,
              "read it from an open file descriptor's first line");
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return KeyImport(i, *options); });
}

}  // namespace keybroker::cli
