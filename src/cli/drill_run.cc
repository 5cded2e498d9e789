#include "cli/drill_run.h"

#include <algorithm>
#include <chrono>

#include "cli/in_parallel.h"

namespace keybroker::cli {
namespace {

constexpr size_t kBatch = 32;

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
}

// Unlock is level 1, and the KEK for level 2.
void Unlock(Drilled& drilled, const Secret& password, const DrillRules& rules, Secret* kek) {
  auto input = ReadBackupInput(drilled.path);
  if (!input) {
    drilled.failure = input.error().detail;
    return;
  }
  drilled.input = std::move(*input);
  auto begun = Clock::now();
  auto backup = backup::OpenBackup(drilled.input.bytes, password);
  drilled.mac_ms = MillisecondsSince(begun);
  if (!backup) {
    drilled.defect = backup.error().defect;
    drilled.failure = DefectText(drilled.input, backup.error(), rules.settings);
    return;
  }
  drilled.backup = std::move(*backup);
  if (rules.level < 2) return;
  begun = Clock::now();
  auto derived = backup::DeriveKek(password, drilled.backup->kdf);
  drilled.kdf_ms = MillisecondsSince(begun);
  if (derived) {
    *kek = std::move(*derived);
  } else {
    drilled.failure = derived.error().detail;
  }
}

Json Try(const token::Session& session, const Drilled& drilled, const Secret& kek) {
  const auto& manifest = drilled.backup->manifest;
  const auto begun = Clock::now();
  const Status tried =
      token::TryUnwrap(session, drilled.backup->key, kek,
                       {"keybroker-drill", manifest.type, manifest.spki, false, false});
  return {{"failure", tried ? "" : tried.error().detail}, {"ms", MillisecondsSince(begun)}};
}

// Restore is level 2 for those of the batch whose MAC fits.
Status Restore(std::vector<Drilled*> batch, const std::vector<Secret>& keks,
               const DrillRules& rules) {
  std::vector<const Secret*> sent;
  std::vector<Drilled*> chosen;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (keks[i].empty()) continue;
    sent.push_back(&keks[i]);
    chosen.push_back(batch[i]);
  }
  if (chosen.empty()) return {};
  KB_ASSIGN(const Json json,
            rules.restore(sent,
                          [&](const token::Session& session,
                              std::span<const Secret> received) -> Result<Json> {
                            Json list = Json::array();
                            for (size_t i = 0; i < chosen.size(); ++i)
                              list.push_back(Try(session, *chosen[i], received[i]));
                            return Json{{"results", std::move(list)}};
                          }));
  const auto results = json.find("results");
  if (results == json.end() || !results->is_array() || results->size() != chosen.size()) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  for (size_t i = 0; i < chosen.size(); ++i) {
    const Json& result = (*results)[i];
    chosen[i]->failure = GetText(result, "failure");
    if (result.contains("ms") && result["ms"].is_number()) chosen[i]->token_ms = result["ms"];
    chosen[i]->token = GetText(json, "token");
  }
  return {};
}

}  // namespace

Result<std::vector<Drilled>> Drill(const std::vector<std::string>& files, const Secret& password,
                                   const DrillRules& rules) {
  std::vector<Drilled> all(files.size());
  for (size_t at = 0; at < files.size(); at += kBatch) {
    const size_t count = std::min(kBatch, files.size() - at);
    std::vector<Secret> keks(count);
    std::vector<Drilled*> batch;
    for (size_t i = 0; i < count; ++i) {
      all[at + i].path = files[at + i];
      batch.push_back(&all[at + i]);
    }
    InParallel(count, [&](size_t i) { Unlock(*batch[i], password, rules, &keks[i]); });
    KB_TRY(Restore(batch, keks, rules));
    if (files.size() > kBatch) {
      PrintProgress(std::to_string(at + count) + " of " + std::to_string(files.size()) +
                    " backups drilled");
    }
  }
  return all;
}

}  // namespace keybroker::cli
