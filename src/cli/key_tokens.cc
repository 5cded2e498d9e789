#include "cli/key_tokens.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/layout.h"
#include "cli/token_child.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/joined.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/config.h"
#include "keybroker/token/module.h"
#include "keybroker/token/session.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {
namespace {

CK_KEY_TYPE TypeOnToken(cryptoki::KeyType type) {
  return type == cryptoki::KeyType::kRsa ? CKK_RSA : CKK_EC;
}

Result<bool> ShowsKey(const token::Session& session, const KeyWish& wish) {
  token::Attributes match;
  match.AddUlong(CKA_CLASS, CKO_PUBLIC_KEY).Add(CKA_LABEL, wish.name);
  if (wish.type) match.AddUlong(CKA_KEY_TYPE, TypeOnToken(*wish.type));
  if (!wish.id.empty()) {
    KB_ASSIGN(const auto id, ParseHex(wish.id));
    match.Add(CKA_ID, id);
  }
  KB_ASSIGN(const auto objects, session.Find(match));
  return !objects.empty();
}

// ShowsKeys looks for the public keys, which needs no login (keybroker makes them CKA_PRIVATE
// false).
Result<bool> ShowsKeys(const config::Settings& settings, const token::TokenConfig& config,
                       const std::vector<KeyWish>& wishes) {
  KB_ASSIGN(const Json found,
            RunAsTokenUser(settings, config, {}, [&](const std::vector<Secret>&) -> Result<Json> {
              KB_ASSIGN(auto module, token::Module::Load(config));
              KB_ASSIGN(const auto token, token::Token::Find(std::move(module), config));
              KB_ASSIGN(const auto session, token.OpenSession(false));
              for (const KeyWish& wish : wishes) {
                KB_ASSIGN(const bool shown, ShowsKey(session, wish));
                if (!shown) return Json{{"shown", false}};
              }
              return Json{{"shown", true}};
            }));
  return GetBool(found, "shown");
}

Holders FindHolders(const config::Settings& settings,
                    const std::vector<token::TokenConfig>& configs,
                    const std::vector<KeyWish>& wishes) {
  Holders holders;
  for (const auto& config : configs) {
    const auto shows = ShowsKeys(settings, config, wishes);
    if (!shows) {
      holders.silent +=
          "; the token " + config.name + " could not be asked: " + shows.error().detail;
    } else if (*shows) {
      holders.names.push_back(config.name);
    }
  }
  return holders;
}

Error Ambiguous(const Holders& holders, const std::vector<token::TokenConfig>& configs,
                const std::vector<KeyWish>& wishes, TokenWord word) {
  const std::string option(TokenOption(word));
  std::vector<std::string> names;
  names.reserve(wishes.size());
  for (const KeyWish& wish : wishes) names.push_back(wish.name);
  const std::string keys = (names.size() == 1 ? "a key " : "each of the keys ") + Joined(names);
  if (!holders.names.empty()) {
    return WrongUsage("several tokens hold " + keys + " (" + Joined(holders.names) +
                      "): say which with " + option + holders.silent);
  }
  std::vector<std::string> all;
  all.reserve(configs.size());
  for (const auto& config : configs) all.push_back(config.name);
  return NotFound("no token shows " + keys + " without a login (asked: " + Joined(all) +
                  "): `keybroker key list` lists the keys of all; " + option +
                  " says which to log in to" + holders.silent);
}

}  // namespace

Result<Holders> HoldersBesides(const config::Settings& settings, const KeyWish& wish,
                               const std::string& except) {
  KB_ASSIGN(auto configs, token::LoadTokenConfigs(settings));
  std::erase_if(configs, [&](const auto& config) { return config.name == except; });
  return FindHolders(settings, configs, {wish});
}

bool Shows(const TokenAccess& access, const config::Settings& settings, const KeyWish& wish) {
  const auto shows = ShowsKeys(settings, access.config(), {wish});
  return shows && *shows;
}

Result<TokenAccess> PrepareForKey(const config::Settings& settings, const TokenOptions& options,
                                  const KeyWish& wish, const std::string& except) {
  return PrepareForKeys(settings, options, {wish}, except);
}

Result<TokenAccess> PrepareForKeys(const config::Settings& settings, const TokenOptions& options,
                                   const std::vector<KeyWish>& wishes, const std::string& except) {
  if (!options.token.empty()) return TokenAccess::Prepare(settings, options);
  KB_ASSIGN(auto configs, token::LoadTokenConfigs(settings));
  std::erase_if(configs, [&](const auto& config) { return config.name == except; });
  const auto prepare = [&](const std::string& name) {
    return TokenAccess::Prepare(settings, {name, options.word, options.pin});
  };
  if (configs.empty()) return TokenAccess::Prepare(settings, options);
  if (configs.size() == 1) return prepare(configs.front().name);
  KB_TRY(MakeStateDirectories(settings));
  const Holders holders = FindHolders(settings, configs, wishes);
  if (holders.names.size() != 1) return Fail(Ambiguous(holders, configs, wishes, options.word));
  return prepare(holders.names.front());
}

}  // namespace keybroker::cli
