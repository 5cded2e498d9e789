#include "cli/drill_external.h"

#include <algorithm>
#include <ctime>
#include <utility>
#include <vector>

#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/drill_answer.h"
#include "cli/drill_standby.h"
#include "cli/interruption.h"
#include "cli/key_choice.h"
#include "keybroker/base/joined.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

constexpr std::string_view kAbsent = "standby-absent";
constexpr std::string_view kRefused = "standby-refused";
constexpr std::string_view kFailed = "standby-failed";

// Outcome is how the drill went.
struct Outcome {
  std::string standby;  // configured name
  Json result;          // TryStandby's
  int64_t now = 0;

  std::string code() const { return GetText(result, "code"); }
  bool good() const { return code().empty(); }
};

std::vector<BackupRecord> Fitting(std::vector<BackupRecord> records, const KeyWish& wish) {
  std::erase_if(records, [&](const BackupRecord& record) {
    return !record.external || record.name != wish.name ||
           (wish.type && record.type != cryptoki::KeyTypeName(*wish.type)) ||
           (!wish.id.empty() && record.id != wish.id);
  });
  return records;
}

Error NoneOnRecord(const ExternalDrill& drill) {
  return NotFound("no external backup of " + drill.name +
                  (drill.type.empty() ? "" : " (" + drill.type + ")") +
                  (drill.id.empty() ? "" : " with the id " + drill.id) +
                  " is on record: `keybroker backup record --external " + ShellQuote(drill.name) +
                  " --note TEXT` notes one");
}

// Current is the one of a type's records that is of the current generation. A drill of an older one
// would say nothing about the key that is in use: it has to be named.
Result<BackupRecord> Current(const std::vector<BackupRecord>& fitting,
                             const policy::CurrentKeys& current) {
  const BackupRecord& any = fitting.front();
  const auto type = cryptoki::ParseKeyType(any.type);
  const auto listed = type ? current.ids.find({any.name, *type}) : current.ids.end();
  if (listed == current.ids.end() && fitting.size() == 1) return any;
  std::vector<std::string> ids;
  for (const BackupRecord& record : fitting) {
    if (listed != current.ids.end() && record.id == listed->second) return record;
    ids.push_back(record.id);
  }
  return Fail(Conflict("the current " + any.type + " key " + any.name +
                       (listed == current.ids.end()
                            ? " is not known"
                            : ", id " + listed->second + ", has no external backup on record") +
                       "; those of these ids have one: " + Joined(ids) + ". Name it with --id"));
}

Result<BackupRecord> Choose(const config::Settings& settings, const ExternalDrill& drill) {
  KB_ASSIGN(const KeyWish wish, MakeWish(drill.name, drill.type, drill.id));
  KB_ASSIGN(auto records, LoadBackupRecords(settings));
  auto fitting = Fitting(std::move(records), wish);
  if (fitting.empty()) return Fail(NoneOnRecord(drill));
  if (!wish.id.empty()) return std::move(fitting.front());
  const bool both = std::any_of(fitting.begin(), fitting.end(), [&](const BackupRecord& record) {
    return record.type != fitting.front().type;
  });
  if (both) {
    return Fail(WrongUsage("an RSA and an EC key " + drill.name +
                           " have an external backup on record: say which with --type"));
  }
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  return Current(fitting, current);
}

Result<TokenAccess> PrepareStandby(const config::Settings& settings, const ExternalDrill& drill,
                                   const ExternalBackup& external) {
  TokenOptions standby = drill.token;
  if (standby.token.empty()) standby.token = external.at;
  if (standby.token.empty()) {
    return Fail(
        WrongUsage("say with --token which standby token the backup was brought onto: the "
                   "record names none"));
  }
  return TokenAccess::Prepare(settings, standby);
}

// SignOnStandby has the standby token sign, and verifies what comes back.
Result<Json> SignOnStandby(const TokenAccess& access, const BackupRecord& record) {
  KB_ASSIGN(const Challenge challenge, NewChallenge());
  KB_ASSIGN(Json result, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    return TryStandby(token, record, challenge);
  }));
  return CheckStandby(std::move(result), record, challenge);
}

// Hold holds the drill. A token that cannot be had is a result of it, as is one without the key.
Outcome Hold(const TokenAccess& access, const BackupRecord& record) {
  Outcome outcome{access.config().name, {}, 0};
  auto result = SignOnStandby(access, record);
  outcome.now = std::time(nullptr);
  if (result) {
    outcome.result = std::move(*result);
    return outcome;
  }
  const Error& error = result.error();
  const bool absent = error.code == ErrorCode::kNotFound || error.code == ErrorCode::kUnavailable;
  const std::string_view code = absent                             ? kAbsent
                                : error.code == ErrorCode::kDenied ? kRefused
                                                                   : kFailed;
  const std::string what = absent                             ? "is not there: "
                           : error.code == ErrorCode::kDenied ? "lets nobody in: "
                                                              : "failed: ";
  outcome.result = {
      {"code", code},
      {"failure", "the standby token \"" + outcome.standby + "\" " + what + error.detail}};
  return outcome;
}

Status AuditStatus(const Outcome& outcome) {
  const std::string code = outcome.code();
  const std::string text = GetText(outcome.result, "failure");
  if (outcome.good()) return {};
  if (code == kSameToken || code == kOtherKey) return Fail(Conflict(text));
  if (code == kNoKey) return Fail(NotFound(text));
  if (code == kAbsent) return Fail(Unavailable(text));
  if (code == kRefused) return Fail(Denied(text));
  return Fail(TokenFailed(text));
}

// TakesBackProof: what a drill found of the key on the standby token counts until the next one. Of
// a wrong token or PIN nothing was learnt.
bool TakesBackProof(const std::string& code) {
  return code == kNoKey || code == kOtherKey || code == kDoesNotSign || code == kAbsent;
}

Status Put(const config::Settings& settings, const BackupRecord& drilled, const Outcome& outcome) {
  KB_ASSIGN(BackupRecord record, LoadBackupRecord(settings, drilled.id));
  if (!record.external || ExternalJson(*record.external) != ExternalJson(*drilled.external)) {
    return Fail(
        Conflict("the record of the external backup changed while it was drilled: what the "
                 "drill found was not put down. Drill it again"));
  }
  ExternalBackup& external = *record.external;
  if (outcome.good()) {
    const auto standby = ParseIdentity(outcome.result["token"]);
    if (!standby) return Fail(Internal("the token's process gave an answer that does not fit"));
    external.drilled = outcome.now;
    external.drilled_on = outcome.standby;
    external.standby = *standby;
    external.failed = 0;
    external.failure.clear();
  } else if (TakesBackProof(outcome.code())) {
    external.failed = outcome.now;
    external.failure = outcome.code();
  } else {
    return {};
  }
  return StoreBackupRecord(settings, record);
}

Status PutDown(Change& change, const BackupRecord& record, const Outcome& outcome) {
  const config::Settings& settings = change.settings();
  const std::string result = outcome.good() ? "" : ", " + outcome.code();
  const ChangeRecord audit{"drill", record.name, record.id,
                           "external, token " + outcome.standby + ", spki sha256 " +
                               record.external->SpkiSha256() + result};
  KB_TRY(Recorded(change, audit, [&] { return Put(settings, record, outcome); }));
  return change.Record(audit, AuditStatus(outcome));
}

Json ResultJson(const BackupRecord& record, const Outcome& outcome) {
  const ExternalBackup& external = *record.external;
  Json json{{"name", record.name},
            {"type", record.type},
            {"id", record.id},
            {"spki_sha256", external.SpkiSha256()},
            {"with_certificate", !external.certificate.empty()},
            {"note", external.note},
            {"recorded_from", external.from},
            {"standby", outcome.standby},
            {"created", credential::FormatTime(external.recorded)},
            {"good", outcome.good()},
            {"failure", GetText(outcome.result, "failure")},
            {"mechanisms", GetText(outcome.result, "mechanism")},
            {"token_ms", GetNumber(outcome.result, "ms")}};
  if (!outcome.good()) json["code"] = outcome.code();
  return json;
}

Json DrillJson(const BackupRecord& record, const Outcome& outcome, unsigned days) {
  Json json = DrillHead(outcome.now);
  json["level"] = "external";
  json["level_means"] =
      record.external->certificate.empty()
          ? "a standby token signed a random challenge, verified with the public key on record"
          : "a standby token signed a random challenge, verified with the public key and the "
            "certificate on record";
  json["proved"] = outcome.good();
  json["next_due"] = NextDue(outcome.good(), outcome.now, days);
  json["count"] = 1;
  json["good_count"] = outcome.good() ? 1 : 0;
  json["results"] = Json::array({ResultJson(record, outcome)});
  const auto identity =
      outcome.result.contains("token") ? ParseIdentity(outcome.result["token"]) : std::nullopt;
  json["token"] = "standby token " + (identity ? TokenText(outcome.standby, *identity)
                                               : "\"" + outcome.standby + "\"");
  json["destroyed"] = "nothing was made";
  return json;
}

void AddNotes(const Outcome& outcome, const BackupRecord& record, Answer& answer) {
  const auto lacks = outcome.result.find("lacks");
  if (!outcome.good() || lacks == outcome.result.end()) return;
  for (const Json& each : *lacks) {
    if (!each.is_string()) continue;
    answer.notes.push_back("the key " + record.name + " signs, but the token \"" + outcome.standby +
                           "\" has " + each.get<std::string>() +
                           ". No listener could be served from there until that is put right");
  }
}

}  // namespace

Result<Answer> DrillExternal(const Invocation& invocation, const ExternalDrill& drill) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const BackupRecord record, Choose(settings, drill));
  KB_ASSIGN(const auto access, PrepareStandby(settings, drill, *record.external));
  // Begun before it: a key that is deleted on the standby token meanwhile would else be put down as
  // there.
  KB_ASSIGN(Change change, Change::Begin(settings));
  const Interruption interruption;
  const Outcome outcome = Hold(access, record);
  if (!outcome.good() && Interruption::Asked()) {
    return Fail(
        Unavailable("interrupted before the standby token had signed: nothing was changed, "
                    "and the last drill on record is as it was"));
  }
  KB_TRY(PutDown(change, record, outcome));
  const Json json = DrillJson(record, outcome, settings.drill_days);
  KB_ASSIGN(Answer answer, TellDrill(json, drill.report, drill.overwrite));
  AddNotes(outcome, record, answer);
  return answer;
}

}  // namespace keybroker::cli
