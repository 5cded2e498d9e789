#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "cli/backup_commands.h"
#include "cli/backup_input.h"
#include "cli/backup_password.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/layout.h"
#include "cli/listener_file.h"
#include "cli/token_access.h"
#include "cli/token_leftovers.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"

namespace keybroker::cli {
namespace {

using backup::Backup;

struct RestoreOptions {
  TokenOptions token;
  PinOptions password;
  std::string file;
  bool exportable = false;
};

Status CheckAllowed(const config::Settings& settings, const RestoreOptions& options) {
  if (!options.exportable || settings.backup_restore_exportable) return {};
  return Fail(
      Denied("the administrator does not allow restored keys to be exportable: "
             "restore_exportable in [backup] of " +
             settings.file.string() + " would"));
}

std::vector<uint8_t> LeafOf(const Backup& backup) {
  return backup.chain.empty() ? std::vector<uint8_t>() : backup.chain.front().der;
}

// Differences says how the key that is there differs from the backup.
Json Differences(const token::KeyPair& key, const Backup& backup) {
  Json list = Json::array();
  if (key.label != backup.manifest.name) list.push_back("its label is \"" + key.label + "\"");
  if (key.certificate != LeafOf(backup)) {
    list.push_back(key.certificate.empty() ? "it has no certificate"
                                           : "its certificate is another");
  }
  return list;
}

Json Generations(const token::KeyList& keys, const backup::Manifest& manifest) {
  Json ids = Json::array();
  for (const auto& key : keys.keys) {
    if (key.label == manifest.name && key.type == manifest.type) ids.push_back(Hex(key.id));
  }
  return ids;
}

// MakeOnToken makes pair and certificate, or nothing.
Result<token::KeyPair> MakeOnToken(LoggedIn& token, const Backup& backup, bool exportable) {
  const auto& manifest = backup.manifest;
  const token::UnwrapSpec spec{manifest.name, manifest.type, manifest.spki, exportable,
                               token.profile.allowed_mechanisms};
  KB_ASSIGN(auto key, token::RestoreKey(token.session, backup.key, token.secrets[0], spec));
  const auto leaf = LeafOf(backup);
  const Status written =
      leaf.empty() ? Status() : token::WriteCertificate(token.session, key, leaf);
  if (!written) {
    static_cast<void>(token::DeleteKey(token.session, key));
    return Fail(written.error());
  }
  key.certificate = leaf;
  return key;
}

Result<Json> RestoreOnToken(LoggedIn& token, const Backup& backup, bool exportable) {
  // An earlier restore that was killed may have left an object of this very CKA_ID that holds no
  // key.
  KB_ASSIGN(const auto removed, token::RemoveLeftoversOf(token.session, backup.manifest.id));
  KB_ASSIGN(const auto keys, token::ListKeys(token.session));
  const auto there = std::find_if(keys.keys.begin(), keys.keys.end(),
                                  [&](const auto& key) { return key.id == backup.manifest.id; });
  const bool present = there != keys.keys.end();
  if (present && there->spki != backup.manifest.spki) {
    return Fail(Conflict("the token has another key with this CKA_ID: nothing was changed"));
  }
  token::KeyPair made;
  if (!present) {
    KB_ASSIGN(made, MakeOnToken(token, backup, exportable));
  }
  // A restore that was cut off before its certificate is made whole; any other difference is told.
  const bool completed = present && there->certificate.empty() && !backup.chain.empty();
  if (completed) {
    KB_TRY(token::WriteCertificate(token.session, *there, LeafOf(backup)));
    made = *there;
    made.certificate = LeafOf(backup);
  }
  const token::KeyPair& key = present && !completed ? *there : made;
  return Json{{"key", KeyJson(key, false)},
              {"present", present},
              {"completed", completed},
              {"removed", LeftoversJson(removed)},
              {"differences", Differences(key, backup)},
              {"others", Generations(keys, backup.manifest)}};
}

// BindingsReport compares: what the manifest says grants nothing here.
void BindingsReport(const config::Settings& settings, const backup::Manifest& manifest,
                    Answer& answer) {
  answer.json["bindings"] = Json::array();
  for (const auto& binding : manifest.bindings) {
    const auto listener = LoadListener(settings, binding.listener);
    const bool bound =
        listener && std::any_of(listener->bindings.begin(), listener->bindings.end(),
                                [&](const policy::Binding& each) {
                                  return each.key == manifest.name &&
                                         each.type.value_or(manifest.type) == manifest.type;
                                });
    answer.json["bindings"].push_back({{"listener", binding.listener}, {"in_force", bound}});
    if (bound) {
      answer.text += "listener " + binding.listener + " may use it, as this host's file says\n";
    } else {
      answer.text += "listener " + binding.listener + " could use it when it was backed up, and " +
                     "cannot here: keybroker listener bind " + binding.listener + " " +
                     manifest.name + "\n";
    }
  }
}

// StoreChain puts the chain where `reference write` takes it from, unless there is one.
Status StoreChain(const config::Settings& settings, const Backup& backup) {
  if (backup.chain.empty()) return {};
  const auto& manifest = backup.manifest;
  const auto path = ChainFile(settings, manifest.name, manifest.type, Hex(manifest.id));
  KB_TRY(MakeDirectory(path.parent_path(), "", 0755));
  Status written = WriteFileAtomically(path, credential::FormatCertificates(backup.chain), 0644,
                                       Overwrite::kRefuse);
  if (!written && written.error().code == ErrorCode::kConflict) return {};
  return written;
}

// StoreGeneration writes down which key is current. A restored key never takes another's place.
Status StoreGeneration(const config::Settings& settings, const backup::Manifest& manifest,
                       const Json& others, Answer& answer) {
  KB_ASSIGN(auto current, LoadCurrent(settings));
  const std::string id = Hex(manifest.id);
  const std::string only =
      others.size() == 1 && others[0].is_string() ? others[0].get<std::string>() : std::string();
  const auto entry =
      current.ids.try_emplace({manifest.name, manifest.type}, others.empty() ? id : only).first;
  if (entry->second.empty()) return {};  // several, none current: for the operator to say
  KB_TRY(StoreCurrent(settings, current));
  answer.json["key"]["current"] = entry->second == id;
  if (entry->second != id) {
    answer.notes.push_back("another generation (id " + entry->second +
                           ") is the current one and "
                           "stays it: this backup is of an older or other key. `keybroker key "
                           "current " +
                           manifest.name + " --id " + id + "` would change that");
  }
  return {};
}

void WarnOfNewer(const config::Settings& settings, const backup::Manifest& manifest,
                 Answer& answer) {
  const auto record = LoadBackupRecord(settings, Hex(manifest.id));
  if (!record || record->sequence <= manifest.sequence) return;
  answer.notes.push_back("a newer backup of this key is on record (number " +
                         std::to_string(record->sequence) + ", " + record->file +
                         "): its certificate may be newer too");
}

std::string Told(const Json& outcome, const Backup& backup, const std::string& token) {
  const std::string key = backup.manifest.name + " (" +
                          std::string(cryptoki::KeyTypeName(backup.manifest.type)) + ", id " +
                          Hex(backup.manifest.id) + ")";
  if (GetBool(outcome, "completed")) {
    return "the token \"" + token + "\" has the key " + key + " already, but had no certificate " +
           "of it: that of the backup was written. The key itself was not changed\n";
  }
  if (!GetBool(outcome, "present")) {
    return "restored the key " + key + " on the token \"" + token + "\"\n" +
           "it signed, and the signature fits " +
           (backup.chain.empty() ? "the public key of the backup" : "the backup's certificate") +
           "\n";
  }
  std::string text = "the token \"" + token + "\" has the key " + key +
                     " already: nothing was changed. " +
                     (outcome["differences"].empty() ? "It is the same as in the backup" : "But ");
  const char* joint = "";
  for (const Json& each : outcome["differences"]) {
    if (each.is_string()) text += joint + each.get<std::string>();
    joint = "; ";
  }
  return text + "\n";
}

Result<Answer> Finish(const config::Settings& settings, Change& change, const BackupInput& input,
                      const Backup& backup, const Json& outcome, const std::string& token) {
  const auto& manifest = backup.manifest;
  Answer answer = MakeAnswer(Told(outcome, backup, token), {{"file", input.path},
                                                            {"sha256", input.sha256},
                                                            {"present", outcome["present"]},
                                                            {"completed", outcome["completed"]},
                                                            {"differences", outcome["differences"]},
                                                            {"key", outcome["key"]}});
  const ChangeRecord record{"backup-restore", manifest.name, Hex(manifest.id),
                            "token " + token + ", file " + input.path + ", sha256 " + input.sha256 +
                                (GetBool(outcome, "present") ? ", already there" : "")};
  answer.notes = BackupWarnings(backup);
  for (const Json& each : outcome["removed"]) {
    if (!each.is_string()) continue;
    answer.notes.push_back("removed what a command that was killed had left: " +
                           each.get<std::string>());
  }
  WarnOfNewer(settings, manifest, answer);
  if (!GetBool(outcome, "present") || GetBool(outcome, "completed")) {
    KB_TRY(Recorded(change, record, [&] {
      return StoreGeneration(settings, manifest, outcome["others"], answer);
    }));
    KB_TRY(Recorded(change, record, [&] { return StoreChain(settings, backup); }));
    BindingsReport(settings, manifest, answer);
    answer.text += "next: keybroker reference write " + manifest.name + " --type " +
                   std::string(cryptoki::KeyTypeName(manifest.type)) + ", on a new host";
  }
  if (!GetBool(outcome, "present")) {
    KB_TRY(RecordProved(settings, {input.path, input.sha256, manifest}, std::time(nullptr)));
  }
  KB_TRY(change.Done(record, answer));
  return answer;
}

Answer Refused(const config::Settings& settings, const BackupInput& input,
               const backup::FileError& error) {
  Answer answer = RefusedBackup(input, error, settings);
  RecordRefusal(settings, "backup-restore", input, error, answer);
  return answer;
}

Result<Answer> Restore(const Invocation& invocation, const RestoreOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_TRY(CheckAllowed(settings, options));
  KB_ASSIGN(const BackupInput input, ReadBackupInput(options.file));
  const auto claim = backup::ReadBackup(input.bytes);
  if (!claim) return Refused(settings, input, claim.error());
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  KB_ASSIGN(const Secret password, AskBackupPassword(options.password));
  const auto backup = backup::OpenBackup(input.bytes, password);
  if (!backup) return Refused(settings, input, backup.error());
  KB_ASSIGN(const Secret kek, backup::DeriveKek(password, backup->kdf));
  KB_ASSIGN(Change change, Change::Begin(settings));
  const ChangeRecord record{"backup-restore", backup->manifest.name, Hex(backup->manifest.id),
                            "token " + access.config().name + ", file " + input.path};
  KB_ASSIGN(const Json outcome, Recorded(change, record, [&] {
              return access.Run(true, {&kek}, [&](LoggedIn& token) {
                return RestoreOnToken(token, *backup, options.exportable);
              });
            }));
  return Finish(settings, change, input, *backup, outcome, access.config().name);
}

}  // namespace

void AddBackupRestore(const Command& noun) {
  auto options = std::make_shared<RestoreOptions>();
  const Command verb =
      noun.Verb("restore",
                "put the key of a backup file on a token; it signs before it counts. Exit status "
                "for a file that is not right: as for verify",
                "keybroker backup restore /safe/mail.example.test.rsa.6f1e0b2c.1.p12 --token main");
  verb.Argument("FILE", options->file, "the backup")
      .Flag("--exportable", options->exportable,
            "let the key be backed up again from there; [backup] restore_exportable must allow it");
  AddPasswordOptions(verb, options->password);
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return Restore(i, *options); });
}

}  // namespace keybroker::cli
