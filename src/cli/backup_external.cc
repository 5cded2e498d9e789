#include <ctime>
#include <memory>
#include <utility>

#include "cli/backup_commands.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/key_pick.h"
#include "cli/public_key_look.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

struct RecordOptions : PickOptions {
  bool external = false;
  std::string note;
  std::string at;
};

Status CheckUse(const RecordOptions& options) {
  if (!options.external) {
    return Fail(WrongUsage(
        "say --external: what is recorded is a backup by the vendor's own means. Files that "
        "keybroker made are on record since their export; `keybroker backup verify FILE` or "
        "`keybroker drill FILE` puts another one there"));
  }
  return CheckNote(options.note);
}

// CheckStandby looks whether the token named for drills is one that they can be held on.
Status CheckStandby(const config::Settings& settings, const std::string& at,
                    const std::string& from) {
  if (at.empty()) return {};
  KB_TRY(token::LoadTokenConfig(settings, at));
  if (at != from) return {};
  return Fail(
      WrongUsage("--at names the standby token that the backup can be brought onto, and \"" + at +
                 "\" is the token that the key is on"));
}

Result<ExternalBackup> Describe(const PublicKeyLook& look, const RecordOptions& options) {
  ExternalBackup external;
  external.recorded = std::time(nullptr);
  external.by = OperatorName();
  external.note = options.note;
  external.from = look.from;
  external.origin = look.token;
  external.at = options.at;
  KB_ASSIGN(external.spki, ParseHex(GetText(look.key, "spki")));
  const auto certificate = credential::ParseCertificate(look.certificate);
  // One of another key says nothing about this one.
  if (certificate && certificate->spki == external.spki &&
      look.certificate.size() <= kMaxRecordedCertificate) {
    external.certificate = look.certificate;
  }
  return external;
}

std::string ReplacedText(const ExternalBackup& old) {
  return "it takes the place of the external backup recorded at " +
         credential::FormatTime(old.recorded) + " (" + old.note + ")" +
         (old.drilled == 0 ? "" : ", and what a drill proved of that one counts no longer");
}

Answer Tell(const BackupRecord& record, const Json& key) {
  const ExternalBackup& external = *record.external;
  const std::string drill = "`keybroker drill --external " + ShellQuote(record.name) + " --type " +
                            record.type + " --token " +
                            (external.at.empty() ? "STANDBY" : external.at) + "`";
  return MakeAnswer("an external backup of the key " + record.name + " (" + record.type + ", id " +
                        record.id + ") of the token \"" + external.from + "\" is on record: " +
                        external.note + "\npublic key SHA-256 " + external.SpkiSha256() +
                        "\nnothing proves it yet, so `keybroker key seal` and `keybroker key "
                        "delete` do not count "
                        "it: bring it onto a standby token, and " +
                        drill,
                    {{"key",
                      {{"name", record.name},
                       {"type", record.type},
                       {"bits", key["bits"]},
                       {"id", record.id},
                       {"current", key["current"]}}},
                     {"external",
                      {{"note", external.note},
                       {"token", external.from},
                       {"at", external.at},
                       {"by", external.by},
                       {"recorded", credential::FormatTime(external.recorded)},
                       {"spki_sha256", external.SpkiSha256()},
                       {"with_certificate", !external.certificate.empty()},
                       {"proved", false}}}});
}

Result<Answer> BackupRecordExternal(const Invocation& invocation, const RecordOptions& options) {
  KB_TRY(CheckUse(options));
  KB_ASSIGN(const auto wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_TRY(CheckStandby(settings, options.at, options.token.token));
  KB_ASSIGN(const auto look, LookAtPublicKey(settings, options.token, wish));
  KB_TRY(CheckStandby(settings, options.at, look.from));
  KB_ASSIGN(ExternalBackup external, Describe(look, options));
  KB_ASSIGN(Change change, Change::Begin(settings));
  const std::string id = GetText(look.key, "id");
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, id));
  const auto replaced = std::exchange(record.external, std::move(external));
  record.name = GetText(look.key, "name");
  record.type = GetText(look.key, "type");
  record.id = id;
  KB_TRY(StoreBackupRecord(settings, record));
  KB_TRY(change.Record(
      {"backup-record", record.name, id,
       "external, token " + look.from + (options.at.empty() ? "" : ", at " + options.at) +
           ", spki sha256 " + record.external->SpkiSha256() + ", note: " + options.note},
      {}));
  Answer answer = Tell(record, look.key);
  if (replaced) answer.notes.push_back(ReplacedText(*replaced));
  return answer;
}

}  // namespace

void AddBackupRecord(const Command& noun) {
  auto options = std::make_shared<RecordOptions>();
  const Command verb = noun.Verb("record",
                                 "note a backup that the token's vendor has means for (a clone, a "
                                 "security world, the vendor's "
                                 "file); it counts once a drill on a standby token proved it",
                                 "keybroker backup record --external mail.example.test --type rsa "
                                 "--at spare --note \"clone on "
                                 "HSM 2, safe B\"");
  verb.Flag("--external", options->external, "a backup by the vendor's own means (required)")
      .Option("--note", options->note, "by what means, and where it is: one line (required)")
      .Option("--at", options->at, "the configured standby token that a drill finds it on");
  AddPickOptions(verb, *options);
  verb.Does([options](const Invocation& i) { return BackupRecordExternal(i, *options); });
}

}  // namespace keybroker::cli
