#include <ctime>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/backup_record.h"
#include "cli/backup_standing.h"
#include "cli/commands.h"
#include "cli/diagnosis.h"
#include "cli/status_text.h"
#include "cli/token_child.h"
#include "keybroker/broker/admin_client.h"
#include "keybroker/token/config.h"
#include "keybroker/token/pin_guard.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

Json TokenhostJson(const config::Settings& settings, const std::string& name) {
  const auto report = tokenhost::AskTokenStatus(settings, name);
  if (!report) return {{"name", name}, {"state", "not running"}, {"detail", report.error().detail}};
  return {{"name", name},
          {"state", wire::TokenStateName(report->state)},
          {"pid", report->pid},
          {"label", report->label},
          {"serial", report->serial},
          {"model", report->model},
          {"keys", report->keys},
          {"detail", report->detail}};
}

Json TimeOrNever(int64_t when) { return when == 0 ? Json() : Json(credential::FormatTime(when)); }

Json ExternalStatus(const ExternalBackup& external) {
  return {{"note", external.note},
          {"at", external.at},
          {"recorded", TimeOrNever(external.recorded)},
          {"proved", external.Proved()},
          {"drilled", TimeOrNever(external.drilled)},
          {"drilled_on", external.drilled_on},
          {"failed", TimeOrNever(external.failed)},
          {"failure", external.failure}};
}

// AddBackups lists what is on record of the keys' backups. Only the operator may read it: for the
// admin group there is no such list.
void AddBackups(const config::Settings& settings, Json& status) {
  const auto records = LoadBackupRecords(settings);
  if (!records) return;
  if (const auto unbacked = UnbackedKeys(settings, *records)) {
    status["without_backup"] = Json::array();
    for (const Unbacked& key : *unbacked) {
      status["without_backup"].push_back({{"name", key.name}, {"type", key.type}, {"id", key.id}});
    }
  }
  status["backups"] = Json::array();
  for (const BackupRecord& record : *records) {
    Json one{{"name", record.name}, {"type", record.type},     {"id", record.id},
             {"file", record.file}, {"sha256", record.sha256}, {"sequence", record.sequence}};
    one["verified"] = TimeOrNever(record.verified);
    one["drilled"] = TimeOrNever(record.drilled);
    one["other_file_drilled"] =
        record.others_drilled.empty() ? Json() : TimeOrNever(record.others_drilled[0].drilled);
    one["external"] = record.external ? ExternalStatus(*record.external) : Json();
    status["backups"].push_back(std::move(one));
  }
}

// NoteBackups warns of what doctor finds about the backups, of a few by name.
void NoteBackups(const config::Settings& settings, Answer& answer) {
  constexpr size_t kNamed = 3;
  const auto readable = LoadBackupRecords(settings);
  if (!readable && readable.error().code == ErrorCode::kDenied) return;  // the operator's alone
  Diagnosis diagnosis;
  ExamineBackups(settings, std::time(nullptr), diagnosis);
  Json warnings = Json::array();
  for (const auto& line : diagnosis.lines()) {
    if (line.level == Diagnosis::Level::kOk) continue;
    const std::string text = line.subject + ": " + line.text;
    if (warnings.size() < kNamed) answer.notes.push_back("warning: " + text);
    warnings.push_back(text);
  }
  if (warnings.size() > kNamed) {
    answer.notes.push_back("warning: " + std::to_string(warnings.size() - kNamed) +
                           " more about backups: `keybroker backup check`");
  }
  answer.json["backup_warnings"] = std::move(warnings);
}

// WithoutBroker says what can be said while there is none: how the tokenhosts stand.
Result<Answer> WithoutBroker(const config::Settings& settings, const Error& error) {
  Answer answer;
  answer.good = false;
  answer.json = {{"broker", nullptr}, {"tokens", Json::array()}};
  KB_ASSIGN(const auto configs, token::LoadTokenConfigs(settings));
  for (const auto& config : configs) {
    answer.json["tokens"].push_back(TokenhostJson(settings, config.name));
  }
  AddBackups(settings, answer.json);
  answer.text = StatusText(answer.json);
  answer.notes.push_back(error.detail);
  NoteBackups(settings, answer);
  return answer;
}

// BlockedPin is why the PIN guard would keep a token's standing PIN from being tried; empty: it
// would not, or this user may not know. It loads no vendor's module.
std::string BlockedPin(const config::Settings& settings, const std::string& name,
                       const std::string& serial) {
  const auto directory = token::PinGuardDirectory(settings);
  const auto seen =
      RunAsUser(settings.token_user, {}, [&](const std::vector<Secret>&) -> Result<Json> {
        std::error_code error;
        if (!std::filesystem::is_directory(directory, error)) return Json{{"why", ""}};
        KB_ASSIGN(const auto guard,
                  token::PinGuard::Open(directory, serial, name, token::PinOrigin::kStanding));
        KB_ASSIGN(const std::string why, guard.Blocked(0));
        return Json{{"why", why}};
      });
  return seen ? GetText(*seen, "why") : std::string();
}

// NoteBlockedPins: a token that is open stays so whatever a command was told of its PIN, until its
// tokenhost starts again.
void NoteBlockedPins(const config::Settings& settings, Answer& answer) {
  for (Json& token : answer.json["tokens"]) {
    const std::string serial = GetText(token, "serial");
    if (GetText(token, "state") != "ready" || serial.empty()) continue;
    const std::string why = BlockedPin(settings, GetText(token, "name"), serial);
    token["next_login"] = why;
    if (why.empty()) continue;
    answer.notes.push_back("warning: the token " + GetText(token, "name") +
                           " is open, but its tokenhost's next start finds it locked: " + why);
  }
}

Result<Answer> ShowStatus(const Invocation& invocation) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  const auto text = broker::AskBroker(settings, wire::AdminVerb::kStatus);
  if (!text && text.error().code == ErrorCode::kUnavailable) {
    return WithoutBroker(settings, text.error());
  }
  KB_TRY(text);
  Json broker = Json::parse(*text, nullptr, false);
  if (!broker.is_object()) return Fail(Malformed("the broker's status does not parse"));
  Answer answer;
  answer.json["broker"] = Json::object();
  for (auto& [field, value] : broker.items()) {
    const bool apart = value.is_array() || field == "audit";
    (apart ? answer.json[field] : answer.json["broker"][field]) = value;
  }
  for (const auto& token : answer.json["tokens"]) {
    if (GetText(token, "state") != "ready") answer.good = false;
  }
  NoteBlockedPins(settings, answer);
  AddBackups(settings, answer.json);
  answer.text = StatusText(answer.json);
  NoteBackups(settings, answer);
  return answer;
}

}  // namespace

void AddStatus(const Command& root) {
  root.Verb("status", "show how broker, tokens and listeners stand", "keybroker status --json")
      .Does(ShowStatus);
}

}  // namespace keybroker::cli
