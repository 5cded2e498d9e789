#include "cli/drill_run.h"

#include <algorithm>
#include <chrono>

#include "cli/challenge.h"
#include "cli/in_parallel.h"
#include "cli/interruption.h"
#include "cli/progress_line.h"

namespace keybroker::cli {
namespace {

constexpr size_t kDrillBatch = 32;

// BatchSize: a rehearsal takes seconds, so progress is told after each few.
size_t BatchSize(unsigned level) { return level == 3 ? CoresOfOurs() : kDrillBatch; }

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
}

void LeaveOut(Drilled& drilled) {
  drilled.held = false;
  drilled.interrupted = true;
  drilled.failure = "interrupted before it was drilled";
  drilled.code = "interrupted";
}

// TakeClaim keeps whose key a file that does not open says that it has.
void TakeClaim(Drilled& drilled) {
  if (auto claim = backup::ReadBackup(drilled.input.bytes)) drilled.claim = std::move(*claim);
}

// Unlock is level 1, and the KEK for level 2.
void Unlock(Drilled& drilled, const BackupOpener& opener, const DrillRules& rules, Secret* kek) {
  if (Interruption::Asked()) {
    LeaveOut(drilled);
    return;
  }
  auto input = ReadBackupInput(drilled.path);
  if (!input) {
    drilled.failure = input.error().detail;
    drilled.code = ErrorCodeName(input.error().code);
    return;
  }
  drilled.input = std::move(*input);
  const auto format = backup::FormatOf(drilled.input.bytes);
  if (format && !opener.Opens(*format)) {
    drilled.held = false;
    drilled.failure = "it is a CMS backup, and no --recovery-key was given";
    drilled.code = "no-recovery-key";
    TakeClaim(drilled);
    return;
  }
  auto begun = Clock::now();
  auto backup = opener.Open(drilled.input.bytes);
  drilled.mac_ms = MillisecondsSince(begun);
  if (!backup) {
    drilled.defect = backup.error().defect;
    drilled.code = DefectCode(drilled.input, backup.error(), rules.settings);
    drilled.failure = DefectText(drilled.input, backup.error(), rules.settings);
    TakeClaim(drilled);
    drilled.input.bytes = {};  // what is none may be large, and there may be many
    return;
  }
  drilled.backup = std::move(*backup);
  if (rules.level < 2) return;
  begun = Clock::now();
  auto derived = opener.Kek(*drilled.backup);
  drilled.kdf_ms = MillisecondsSince(begun);
  if (derived) {
    *kek = std::move(*derived);
  } else {
    drilled.failure = derived.error().detail;
    drilled.code = ErrorCodeName(derived.error().code);
  }
}

// Trial is one backup at level 2.
struct Trial {
  const backup::Backup* backup;
  Challenge challenge;

  credential::PublicKey key() const {
    return {backup->manifest.type, backup->manifest.bits, backup->manifest.spki};
  }
};

Result<std::vector<Trial>> Trials(const std::vector<const backup::Backup*>& backups) {
  std::vector<Trial> trials;
  for (const backup::Backup* backup : backups) {
    KB_ASSIGN(const Challenge challenge, NewChallenge());
    trials.push_back({backup, challenge});
  }
  return trials;
}

// Try runs in the token's process.
Json Try(const token::Session& session, const Trial& trial, const Secret& kek) {
  const auto& manifest = trial.backup->manifest;
  const auto begun = Clock::now();
  std::string signature;
  const token::KeyUse answer = [&](CK_OBJECT_HANDLE object) -> Status {
    KB_ASSIGN(signature, AnswerChallenge(session, object, trial.key(), trial.challenge, nullptr));
    return {};
  };
  const Status tried =
      token::TryUnwrap(session, trial.backup->key, kek,
                       {"keybroker-drill", manifest.type, manifest.spki, false, false}, answer);
  return {{"failure", tried ? "" : tried.error().detail},
          // A token without the mechanism has not tried it (FindUnwrap).
          {"refuted", !tried && tried.error().code != ErrorCode::kNotFound},
          {"signature", signature},
          {"ms", MillisecondsSince(begun)}};
}

// Check believes no success that it does not see.
Status Check(const std::vector<Trial>& trials, Json& json) {
  const auto results = json.find("results");
  if (results == json.end() || !results->is_array() || results->size() != trials.size()) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  for (size_t i = 0; i < trials.size(); ++i) {
    Json& result = (*results)[i];
    if (result.is_object()) {  // these are the command's to say
      result.erase("interrupted");
      result.erase("not_held");
    }
    if (!GetText(result, "failure").empty()) continue;
    if (IsAnswer(trials[i].key(), trials[i].challenge, GetText(result, "signature"))) continue;
    result = Json{{"failure", NoAnswer("the key of the backup").detail}, {"refuted", true}};
  }
  return {};
}

void TakeResult(Json result, Drilled& drilled) {
  if (GetBool(result, "interrupted")) {
    LeaveOut(drilled);
    return;
  }
  // What kept it from being tried says nothing of the backup.
  if (const std::string why = GetText(result, "not_held"); !why.empty()) {
    drilled.held = false;
    drilled.failure = why;
    drilled.code = "not-held";
    return;
  }
  drilled.failure = GetText(result, "failure");
  if (!drilled.failure.empty()) drilled.code = "not-restored";
  drilled.refuted = !drilled.failure.empty() && GetBool(result, "refuted");
  if (result.contains("ms") && result["ms"].is_number()) drilled.token_ms = result["ms"];
  for (const char* field : {"restore_ms", "start_ms", "tls"}) {
    if (result.contains(field)) drilled.more[field] = std::move(result[field]);
  }
}

// Restore is what is above level 1, for those of the batch that open.
Status Restore(const std::vector<Drilled*>& batch, const std::vector<Secret>& keks,
               const DrillRules& rules) {
  std::vector<const Secret*> sent;
  std::vector<const backup::Backup*> backups;
  std::vector<Drilled*> chosen;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (keks[i].empty()) continue;
    sent.push_back(&keks[i]);
    backups.push_back(&*batch[i]->backup);
    chosen.push_back(batch[i]);
  }
  if (chosen.empty()) return {};
  auto restored = Interruption::Asked() ? Result<Json>(Json()) : rules.restore(sent, backups);
  // Asked to end, the token's process gives up what it has in hand: no failure of the backups.
  if (Interruption::Asked() && (!restored || restored->is_null())) {
    for (Drilled* drilled : chosen) LeaveOut(*drilled);
    return {};
  }
  KB_ASSIGN(Json json, std::move(restored));
  const auto results = json.find("results");
  if (results == json.end() || !results->is_array() || results->size() != chosen.size()) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  for (size_t i = 0; i < chosen.size(); ++i) {
    TakeResult(std::move((*results)[i]), *chosen[i]);
    chosen[i]->token = GetText(json, "token");
  }
  return {};
}

}  // namespace

RestoreAll TryAll(const DrillRunner& run) {
  return [run](const auto& keks, const auto& backups) -> Result<Json> {
    KB_ASSIGN(const auto trials, Trials(backups));
    KB_ASSIGN(Json json, run(keks, [&](const auto& session, auto received) -> Result<Json> {
                Json list = Json::array();
                for (size_t i = 0; i < trials.size(); ++i) {
                  list.push_back(Try(session, trials[i], received[i]));
                }
                return Json{{"results", std::move(list)}};
              }));
    KB_TRY(Check(trials, json));
    return json;
  };
}

Result<std::vector<Drilled>> Drill(const std::vector<std::string>& files,
                                   const BackupOpener& opener, const DrillRules& rules) {
  std::vector<Drilled> all(files.size());
  // A derivation takes longer than what follows on a token, but for that of level 3.
  ProgressLine progress(files.size(), rules.level == 3 ? "backups drilled" : "backups opened");
  const size_t size = BatchSize(rules.level);
  for (size_t at = 0; at < files.size(); at += size) {
    const size_t count = std::min(size, files.size() - at);
    std::vector<Secret> keks(count);
    std::vector<Drilled*> batch;
    for (size_t i = 0; i < count; ++i) {
      all[at + i].path = files[at + i];
      batch.push_back(&all[at + i]);
    }
    InParallel(count, [&](size_t i) {
      Unlock(*batch[i], opener, rules, &keks[i]);
      if (rules.level < 3) progress.OneMore();
    });
    KB_TRY(Restore(batch, keks, rules));
    for (size_t i = 0; rules.level == 3 && i < count; ++i) progress.OneMore();
  }
  return all;
}

}  // namespace keybroker::cli
