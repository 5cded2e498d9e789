#include "cli/public_key_look.h"

#include <utility>

#include "cli/key_tokens.h"
#include "cli/layout.h"
#include "cli/token_child.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/joined.h"
#include "keybroker/token/module.h"

namespace keybroker::cli {
namespace {

Result<Json> LookJson(const token::KeyList& keys, const policy::CurrentKeys& current,
                      const KeyWish& wish, const TokenIdentity& token) {
  KB_ASSIGN(const token::KeyPair* key, PickKey(keys, current, wish));
  return Json{{"key", KeyJson(*key, IsCurrent(keys, current, *key))},
              {"certificate", Hex(key->certificate)},
              {"token", IdentityJson(token)}};
}

Result<Json> WithoutLogin(const config::Settings& settings, const token::TokenConfig& config,
                          const policy::CurrentKeys& current, const KeyWish& wish) {
  return RunAsTokenUser(settings, config, {}, [&](const std::vector<Secret>&) -> Result<Json> {
    KB_ASSIGN(auto module, token::Module::Load(config));
    KB_ASSIGN(const auto token, token::Token::Find(std::move(module), config));
    KB_ASSIGN(const auto session, token.OpenSession(false));
    KB_ASSIGN(const auto keys, token::ListPublicKeys(session, wish.name));
    return LookJson(keys, current, wish, IdentityOf(token.info()));
  });
}

Result<PublicKeyLook> Parse(const std::string& from, Json json) {
  auto token = ParseIdentity(json["token"]);
  auto certificate = ParseHex(GetText(json, "certificate"));
  if (!token || !certificate) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  return PublicKeyLook{from, std::move(*token), std::move(json["key"]), std::move(*certificate)};
}

// Shown is what the tokens show without a login, each that does.
Result<std::vector<PublicKeyLook>> Shown(const config::Settings& settings,
                                         const std::vector<token::TokenConfig>& configs,
                                         const policy::CurrentKeys& current, const KeyWish& wish) {
  std::vector<PublicKeyLook> shown;
  for (const auto& config : configs) {
    auto json = WithoutLogin(settings, config, current, wish);
    if (json) {
      KB_ASSIGN(auto look, Parse(config.name, std::move(*json)));
      shown.push_back(std::move(look));
      continue;
    }
    // The key is there, and which one is meant is not clear. Whatever else it was, the login that
    // is tried then says it.
    const ErrorCode code = json.error().code;
    if (code == ErrorCode::kMalformed || code == ErrorCode::kConflict) return Fail(json.error());
  }
  return shown;
}

Result<PublicKeyLook> WithLogin(const config::Settings& settings, const TokenOptions& options,
                                const policy::CurrentKeys& current, const KeyWish& wish) {
  KB_ASSIGN(const auto access, PrepareForKey(settings, options, wish));
  KB_ASSIGN(Json json, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    return LookJson(keys, current, wish, IdentityOf(token.token.info()));
  }));
  return Parse(access.config().name, std::move(json));
}

}  // namespace

Result<PublicKeyLook> LookAtPublicKey(const config::Settings& settings, const TokenOptions& options,
                                      const KeyWish& wish) {
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  std::vector<token::TokenConfig> configs;
  if (options.token.empty()) {
    KB_ASSIGN(configs, token::LoadTokenConfigs(settings));
  } else {
    KB_ASSIGN(auto named, token::LoadTokenConfig(settings, options.token));
    configs.push_back(std::move(named));
  }
  KB_TRY(MakeStateDirectories(settings));
  KB_ASSIGN(auto shown, Shown(settings, configs, current, wish));
  if (shown.size() == 1) return std::move(shown.front());
  if (shown.empty()) return WithLogin(settings, options, current, wish);
  std::vector<std::string> names;
  for (const auto& look : shown) names.push_back(look.from);
  return Fail(WrongUsage("several tokens hold a key " + wish.name + " (" + Joined(names) +
                         "): say with --token which one it is that has a backup"));
}

}  // namespace keybroker::cli
