#include "cli/key_birth_scratch.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "cli/backup_export_job.h"
#include "cli/drill_token.h"
#include "cli/key_choice.h"
#include "keybroker/base/joined.h"

namespace keybroker::cli {
namespace {

using Clock = std::chrono::steady_clock;
using token::WrapAlgorithm;

// Common is the first of the scratch token's algorithms that the target unwraps by.
Result<WrapAlgorithm> Common(const token::Session& scratch,
                             const std::vector<WrapAlgorithm>& target) {
  for (const auto& how : token::ProbeWrap(scratch)) {
    if (std::find(target.begin(), target.end(), how.algorithm) != target.end()) {
      return how.algorithm;
    }
  }
  std::vector<std::string_view> names;
  names.reserve(target.size());
  for (const auto each : target) names.emplace_back(token::WrapAlgorithmName(each));
  return Fail(TokenFailed("the scratch token does not wrap keys as the token is to unwrap them (" +
                          Joined(names) + "): no key was made"));
}

// GenerateAndWrap runs where SoftHSM is loaded, in a process that ends when it is done. The key is
// an object of its session, which SoftHSM keeps in memory.
Result<Json> GenerateAndWrap(const token::Session& scratch, const Secret& kek,
                             const token::KeySpec& spec, const std::vector<WrapAlgorithm>& target) {
  KB_ASSIGN(const WrapAlgorithm algorithm, Common(scratch, target));
  token::KeySpec exportable = spec;
  exportable.exportable = true;
  KB_ASSIGN(const auto key, token::GenerateSessionKey(scratch, token::Profile{}, exportable));
  KB_ASSIGN(const auto wrapped, token::WrapPrivateKey(scratch, key, kek, algorithm));
  KB_TRY(token::DeleteKey(scratch, key));
  return Json{{"key", KeyJson(key, false)}, {"wrapped", WrappedJson(wrapped)}};
}

Json Exposure(const Json& made, Clock::time_point begun) {
  const auto passed =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun).count();
  return {{"token", GetText(made, "token")},
          {"software", true},
          {"in_the_clear", "process of the scratch token"},
          {"ms", passed + 1},  // rounded up
          {"destroyed", GetBool(made, "destroyed")}};
}

}  // namespace

Result<Json> GenerateOnScratch(const token::KeySpec& spec, const Birth& birth, const Secret& kek) {
  const auto begun = Clock::now();
  KB_ASSIGN(Json made,
            RunOnScratchToken(birth.module, {&kek},
                              [&](const token::Session& scratch, std::span<const Secret> keks) {
                                return GenerateAndWrap(scratch, keks[0], spec, birth.algorithms);
                              }));
  made["exposure"] = Exposure(made, begun);
  return made;
}

}  // namespace keybroker::cli
