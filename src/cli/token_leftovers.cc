#include "cli/token_leftovers.h"

#include "cli/token_access.h"
#include "keybroker/token/profile.h"

namespace keybroker::cli {

Json LeftoversJson(const std::vector<token::Leftover>& leftovers) {
  Json list = Json::array();
  for (const token::Leftover& each : leftovers) list.push_back(each.text);
  return list;
}

Result<Json> LookForLeftovers(const config::Settings& settings, const token::TokenConfig& config) {
  KB_ASSIGN(const auto profile, token::LoadProfile(settings.profiles_dir, config.profile));
  if (config.pin_file.empty() || !profile.several_processes) return Json::array();
  TokenOptions options;
  options.token = config.name;
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options));
  return access.Run(false, [](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto found, token::FindLeftovers(token.session));
    return LeftoversJson(found);
  });
}

}  // namespace keybroker::cli
