#include "cli/drill_token.h"

#include "cli/scratch_folder.h"
#include "cli/scratch_token.h"
#include "keybroker/base/file.h"

namespace keybroker::cli {
namespace {

Result<Json> OnTokenIn(const std::filesystem::path& folder, const std::string& module,
                       std::span<const Secret> keks, const DrillWork& work) {
  KB_ASSIGN(const auto config, ScratchTokenConfig(folder, module));
  KB_ASSIGN(const Secret pin, RandomPin());
  KB_ASSIGN(const auto token, MakeScratchToken(config, folder, pin));
  KB_ASSIGN(const auto session, token.OpenSession(false));
  KB_ASSIGN(Json json, work(session, keks));
  // The key is a session object, which stays in the process's memory wherever the token lies.
  json["token"] = std::string("scratch token ") +
                  (IsInMemory(folder) ? "in memory: " : "on disk: ") + token.info().manufacturer +
                  " " + token.info().model;
  return json;
}

}  // namespace

Result<Json> RunOnScratchToken(const std::string& module, const std::vector<const Secret*>& keks,
                               const DrillWork& work) {
  KB_ASSIGN(Json json,
            RunInScratchFolder(ScratchPlace::kPreferMemory, keks,
                               [&](const auto& folder, const std::vector<Secret>& secrets) {
                                 std::vector<const Secret*> again;
                                 again.reserve(secrets.size());
                                 for (const Secret& secret : secrets) again.push_back(&secret);
                                 return RunVendorPart(again, [&](const auto& received) {
                                   return OnTokenIn(folder, module, received, work);
                                 });
                               }));
  json["destroyed"] = true;
  return json;
}

}  // namespace keybroker::cli
