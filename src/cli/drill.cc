#include <algorithm>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/backup_opener.h"
#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/commands.h"
#include "cli/drill_answer.h"
#include "cli/drill_external.h"
#include "cli/drill_listener/rehearsal.h"
#include "cli/drill_run.h"
#include "cli/interruption.h"
#include "cli/token_access.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"

namespace keybroker::cli {
namespace {

constexpr char kSoftHsm[] = "/usr/lib/softhsm/libsofthsm2.so";
constexpr unsigned kNoLevel = ~0U;
constexpr unsigned kDefaultLevel = 2;

struct DrillOptions {
  TokenOptions token;
  OpenerOptions opener;
  std::string path;
  std::string report;
  bool overwrite = false;
  std::string module;
  unsigned level = kNoLevel;
  std::string external;  // key name; empty: the drill is of files
  std::string type;
  std::string id;
};

// CheckExternalUse: what an external backup is drilled by has nothing to do with files.
Status CheckExternalUse(const DrillOptions& options) {
  const OpenerOptions& opener = options.opener;
  if (!options.path.empty()) {
    return Fail(WrongUsage("a drill is of files, or of the backup on record with --external"));
  }
  if (options.level != kNoLevel || !options.module.empty() || opener.password.Given() ||
      opener.passphrase.Given() || !opener.recovery_key.empty()) {
    return Fail(WrongUsage(
        "--external has no level, scratch token or password: the standby token, --token, signs"));
  }
  return {};
}

Result<std::vector<std::string>> Files(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const auto extension = entry.path().extension();
    if (extension == ".p12" || extension == ".cms") files.push_back(entry.path());
  }
  if (error) return Fail(SystemError("cannot read " + path, error.value()));
  if (files.empty()) return Fail(NotFound("there is no backup (*.p12, *.cms) in " + path));
  std::sort(files.begin(), files.end());
  return files;
}

std::string LevelMeans(unsigned level) {
  if (level == 1) return "structure and MAC, or signature; no key was touched";
  if (level == 2) return "restored into a session, a random challenge signed and verified";
  return "restored onto a token of its own, TLS 1.3 and 1.2 handshakes as a listener makes them";
}

// DestroyedText: a key that is not seen to be gone fails its drill (token::TryUnwrap), and a
// scratch token that is not fails them all (RunInScratchFolder).
std::string DestroyedText(unsigned level, const std::vector<Drilled>& all) {
  const bool made = std::any_of(all.begin(), all.end(),
                                [](const Drilled& drilled) { return !drilled.token.empty(); });
  if (!made) return "nothing was made";
  if (level == 3) return "token, broker and listener were ended and removed, and seen to be gone";
  const bool failed = std::any_of(all.begin(), all.end(), [](const Drilled& drilled) {
    return !drilled.token.empty() && !drilled.failure.empty();
  });
  return failed ? "of each backup that is good, the key object was destroyed, and seen to be gone; "
                  "of the others see the failure"
                : "every key object was destroyed, and seen to be gone";
}

Json ResultJson(const Drilled& drilled) {
  const auto& read = drilled.backup ? drilled.backup : drilled.claim;
  Json json = read ? BackupJson(drilled.input, *read, drilled.backup.has_value())
                   : Json{{"file", drilled.path}, {"sha256", drilled.input.sha256}};
  json["good"] = drilled.failure.empty();
  json["held"] = drilled.held;
  json["failure"] = drilled.failure;
  if (!drilled.code.empty()) json["code"] = drilled.code;
  json["mac_ms"] = static_cast<int64_t>(drilled.mac_ms);
  json["kdf_ms"] = static_cast<int64_t>(drilled.kdf_ms);
  json["token_ms"] = static_cast<int64_t>(drilled.token_ms);
  for (const auto& [field, value] : drilled.more.items()) json[field] = value;
  if (drilled.backup && !drilled.token.empty()) {
    const bool rsa = drilled.backup->manifest.type == cryptoki::KeyType::kRsa;
    json["mechanisms"] = std::string(token::WrapAlgorithmName(drilled.backup->key.algorithm)) +
                         ", " + (rsa ? "CKM_RSA_PKCS" : "CKM_ECDSA");
  }
  return json;
}

Json DrillJson(const std::vector<Drilled>& all, unsigned level, int64_t now, unsigned days) {
  Json json = DrillHead(now);
  json["level"] = level;
  json["level_means"] = LevelMeans(level);
  json["proved"] = false;
  json["next_due"] = nullptr;
  json["count"] = all.size();
  json["good_count"] = 0;
  json["results"] = Json::array();
  std::string token;
  int64_t good = 0;
  for (const Drilled& drilled : all) {
    json["results"].push_back(ResultJson(drilled));
    if (!drilled.token.empty()) token = drilled.token;
    good += drilled.failure.empty() ? 1 : 0;
  }
  const bool proved = level > 1 && good == static_cast<int64_t>(all.size());
  json["proved"] = proved;
  json["next_due"] = NextDue(proved, now, days);
  json["good_count"] = good;
  json["token"] = token;
  json["destroyed"] = DestroyedText(level, all);
  json["interrupted"] = std::any_of(all.begin(), all.end(),
                                    [](const Drilled& drilled) { return drilled.interrupted; });
  return json;
}

Status PutDown(const config::Settings& settings, const std::vector<Drilled>& all, unsigned level,
               int64_t now) {
  KB_ASSIGN(Change change, Change::Begin(settings));
  for (const Drilled& drilled : all) {
    if (!drilled.held) continue;
    ChangeRecord record{"drill", "", "", "level " + std::to_string(level)};
    if (drilled.defect) record.detail += ", " + std::string(backup::DefectName(*drilled.defect));
    record.detail += ", " + RecordedFile(drilled.path, drilled.input.sha256);
    const bool denied = drilled.defect && IsOpenersFault(*drilled.defect);
    const Status outcome = drilled.failure.empty() ? Status()
                           : denied                ? Fail(Denied(drilled.failure))
                                                   : Fail(Malformed(drilled.failure));
    if (drilled.backup) {
      const auto& manifest = drilled.backup->manifest;
      record.key = manifest.name;
      record.key_id = Hex(manifest.id);
      const SeenBackup seen{drilled.input.path, drilled.input.sha256, manifest};
      if (drilled.refuted) KB_TRY(RecordRefuted(settings, seen));
      if (outcome) {
        KB_TRY(level > 1 ? RecordDrilled(settings, seen, now, level)
                         : RecordVerified(settings, seen, now));
      }
    }
    KB_TRY(change.Record(record, outcome));
  }
  return {};
}

// AskOpener asks for what the files need. One that is no backup, or is not there, needs nothing.
Result<BackupOpener> AskOpener(const std::vector<std::string>& files,
                               const OpenerOptions& options) {
  bool pkcs12 = false;
  bool cms = false;
  for (const std::string& file : files) {
    const auto input = ReadBackupInput(file);
    if (!input) continue;
    const auto format = backup::FormatOf(input->bytes);
    if (!format) continue;
    (*format == backup::FileFormat::kCms ? cms : pkcs12) = true;
  }
  if (!pkcs12 && !cms) return BackupOpener();
  // Without a recovery key the others are drilled all the same, and these are listed as not.
  const bool left_out = pkcs12 && cms && options.recovery_key.empty();
  return BackupOpener::Ask(options, pkcs12, cms && !left_out);
}

// RecordFailure audits a drill that could not be held.
Error RecordFailure(const config::Settings& settings, const DrillOptions& options, Error error) {
  auto change = Change::Begin(settings);
  const Status recorded =
      change ? change->Record({"drill", "", "",
                               "level " + std::to_string(options.level) + ", " + options.path},
                              Fail(error))
             : Status(Fail(change.error()));
  if (!recorded) error.detail += ". That is not in the audit log: " + recorded.error().detail;
  return error;
}

// NoteInterruption says how far the drill came that was asked to end.
void NoteInterruption(const std::vector<Drilled>& all, Answer& answer) {
  const auto held =
      std::count_if(all.begin(), all.end(), [](const Drilled& drilled) { return drilled.held; });
  const auto left = std::count_if(all.begin(), all.end(),
                                  [](const Drilled& drilled) { return drilled.interrupted; });
  if (left == 0) return;
  answer.notes.push_back(
      "interrupted: " + std::to_string(held) + " of " + std::to_string(all.size()) +
      " backups were drilled, and what came of it is on record; " + std::to_string(left) +
      " were not. No file and no key was changed, and nothing of the drill is "
      "left");
}

void AddWarnings(const std::vector<Drilled>& all, unsigned level, int64_t now, Answer& answer) {
  for (const Drilled& drilled : all) {
    if (!drilled.backup) continue;
    for (const std::string& each : BackupWarnings(*drilled.backup)) {
      answer.notes.push_back(EscapeUnprintable(drilled.path) + ": " + each);
    }
    const auto& chain = drilled.backup->chain;
    if (level == 3 && !chain.empty() && chain.front().not_after < now) {
      answer.notes.push_back(EscapeUnprintable(drilled.path) + ": its certificate expired at " +
                             credential::FormatTime(chain.front().not_after) +
                             ": the key is proved, and clients would refuse it");
    }
  }
}

RestoreAll OnScratchToken(const std::string& module) {
  return TryAll([module](const auto& keks, const DrillWork& work) {
    return RunOnScratchToken(module, keks, work);
  });
}

// OnNamedToken is the operator's own drill token, by its session objects only.
RestoreAll OnNamedToken(const std::shared_ptr<TokenAccess>& access) {
  return TryAll([access](const auto& keks, const DrillWork& work) {
    return access->Run(false, keks, [&](LoggedIn& token) -> Result<Json> {
      KB_ASSIGN(Json json, work(token.session, token.secrets));
      json["token"] = "token \"" + token.config.name +
                      "\", by objects of a session: " + token.token.info().manufacturer + " " +
                      token.token.info().model;
      return json;
    });
  });
}

// NotHeld is the result of one that could not be held, or that the command was asked to end.
Json NotHeld(const Error& error) {
  if (Interruption::Asked()) return {{"interrupted", true}};
  return {{"not_held", error.detail}};
}

// AsListener rehearses the batch side by side, and keeps what came of the others when one could not
// be held. What none of them could be held for is an error.
RestoreAll AsListener(const config::Settings& settings, const RehearsalParts& parts) {
  return [settings, parts](const auto& keks, const auto& backups) -> Result<Json> {
    std::vector<Result<Rehearsal>> running;
    running.reserve(backups.size());
    for (size_t i = 0; i < backups.size(); ++i) {
      running.push_back(Rehearsal::Start(settings, parts, *keks[i], *backups[i]));
    }
    Json all{{"token", ""}, {"results", Json::array()}};
    std::optional<Error> error;
    bool held = false;
    for (Result<Rehearsal>& each : running) {
      auto one = each ? std::move(*each).Await() : Result<Json>(Fail(each.error()));
      held = held || one;
      if (!one && !error) error = one.error();
      if (one && one->contains("token")) all["token"] = GetText(*one, "token");
      all["results"].push_back(one ? std::move(*one) : NotHeld(one.error()));
    }
    if (error && !held && !Interruption::Asked()) return Fail(*error);
    return all;
  };
}

Result<DrillRules> Rules(const config::Settings& settings, const DrillOptions& options) {
  DrillRules rules;
  rules.level = options.level;
  rules.settings = settings;
  if (options.level == 3) {
    KB_ASSIGN(const auto parts, RehearsalParts::Find(options.module));
    rules.restore = AsListener(settings, parts);
  } else if (options.level == 2 && options.token.token.empty()) {
    rules.restore = OnScratchToken(options.module);
  } else if (options.level == 2) {
    KB_ASSIGN(auto prepared, TokenAccess::Prepare(settings, options.token));
    rules.restore = OnNamedToken(std::make_shared<TokenAccess>(std::move(prepared)));
  }
  return rules;
}

Status CheckUse(const DrillOptions& options) {
  if (options.path.empty()) {
    return Fail(WrongUsage("name a backup or a directory of them, or say --external KEY-NAME"));
  }
  if (!options.type.empty() || !options.id.empty()) {
    return Fail(WrongUsage("--type and --id are for --external: a file says itself whose it is"));
  }
  if (options.level < 1 || options.level > 3) return Fail(WrongUsage("--level is 1, 2 or 3"));
  if (options.level == 3 && !options.token.token.empty()) {
    return Fail(WrongUsage("--token is for level 2: level 3 makes a token of its own"));
  }
  return {};
}

Result<Answer> DrillGivenFiles(const Invocation& invocation, DrillOptions options) {
  if (options.level == kNoLevel) options.level = kDefaultLevel;
  if (options.module.empty()) options.module = kSoftHsm;
  KB_TRY(CheckUse(options));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto files, Files(options.path));
  KB_ASSIGN(const auto rules, Rules(settings, options));
  KB_ASSIGN(const auto opener, AskOpener(files, options.opener));
  const Interruption interruption;
  const auto drilled = Drill(files, opener, rules);
  if (!drilled) return Fail(RecordFailure(settings, options, drilled.error()));
  const auto& all = *drilled;
  const int64_t now = std::time(nullptr);
  KB_TRY(PutDown(settings, all, options.level, now));
  const Json json = DrillJson(all, options.level, now, settings.drill_days);
  KB_ASSIGN(Answer answer, TellDrill(json, options.report, options.overwrite));
  NoteInterruption(all, answer);
  AddWarnings(all, options.level, now, answer);
  if (all.size() == 1 && all[0].defect)
    answer.exit_when_not_good = static_cast<int>(*all[0].defect);
  return answer;
}

Result<Answer> RunDrill(const Invocation& invocation, const DrillOptions& options) {
  if (invocation.json && options.report == "-") {
    return Fail(
        WrongUsage("--json and --report - both go to standard output: name a file for the report"));
  }
  KB_TRY(CheckReport(options.report, options.overwrite));
  if (options.external.empty()) return DrillGivenFiles(invocation, options);
  KB_TRY(CheckExternalUse(options));
  return DrillExternal(invocation, {options.external, options.type, options.id, options.report,
                                    options.overwrite, options.token});
}

}  // namespace

void AddDrill(const Command& root) {
  auto options = std::make_shared<DrillOptions>();
  const Command verb =
      root.Verb("drill", "rehearse a restore: prove that backups open and that their keys sign",
                "keybroker drill /safe --report drill.html\n"
                "  keybroker drill --external mail.example.test --type rsa --token spare");
  verb.OptionalArgument(
          "PATH", options->path,
          "a backup, or a directory of *.p12 under one password and *.cms for one recovery key")
      .Option(
          "--level", options->level,
          "1: structure and MAC, or signature; 2 (default): restored, signed, verified, "
          "destroyed; 3: and served by a broker of its own, with TLS 1.3 and 1.2 handshakes as a "
          "listener's")
      .Option("--report", options->report, "write an HTML page for the file, - for standard output")
      .Flag("--overwrite", options->overwrite, "replace the report that is there")
      .Option("--module", options->module, "SoftHSM2's module, for the scratch token in memory");
  AddOpenerOptions(verb, options->opener);
  verb.Option("--external", options->external,
              "instead of files: the key NAME's backup of `backup record --external`; the standby "
              "token that it was brought onto, --token, has to sign")
      .Option("--type", options->type, "with --external: rsa or ec, when the name has both")
      .Option("--id", options->id,
              "with --external: CKA_ID in hexadecimal, for a generation that is not current")
      .Option("--token", options->token.token,
              "restore on this configured token instead, by objects of a session only; with "
              "--external the standby token (default: the record's --at)");
  AddPinOptions(verb, options->token.pin);
  verb.Does([options](const Invocation& i) { return RunDrill(i, *options); });
}

}  // namespace keybroker::cli
