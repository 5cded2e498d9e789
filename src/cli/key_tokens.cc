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

// ShowsKey looks for the public key, which needs no login (keybroker makes it CKA_PRIVATE false).
Result<bool> ShowsKey(const config::Settings& settings, const token::TokenConfig& config,
                      const KeyWish& wish) {
  KB_ASSIGN(const Json found,
            RunAsTokenUser(settings, config, {}, [&](const std::vector<Secret>&) -> Result<Json> {
              KB_ASSIGN(auto module, token::Module::Load(config));
              KB_ASSIGN(const auto token, token::Token::Find(std::move(module), config));
              KB_ASSIGN(const auto session, token.OpenSession(false));
              token::Attributes match;
              match.AddUlong(CKA_CLASS, CKO_PUBLIC_KEY).Add(CKA_LABEL, wish.name);
              if (wish.type) match.AddUlong(CKA_KEY_TYPE, TypeOnToken(*wish.type));
              if (!wish.id.empty()) {
                KB_ASSIGN(const auto id, ParseHex(wish.id));
                match.Add(CKA_ID, id);
              }
              KB_ASSIGN(const auto objects, session.Find(match));
              return Json{{"shown", !objects.empty()}};
            }));
  return GetBool(found, "shown");
}

// Holders is which of several tokens show the key, and which could not be asked.
struct Holders {
  std::vector<std::string> names;
  std::string silent;  // "; NAME: why" for each
};

Holders FindHolders(const config::Settings& settings,
                    const std::vector<token::TokenConfig>& configs, const KeyWish& wish) {
  Holders holders;
  for (const auto& config : configs) {
    const auto shows = ShowsKey(settings, config, wish);
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
                const KeyWish& wish, TokenWord word) {
  const std::string option(TokenOption(word));
  if (!holders.names.empty()) {
    return WrongUsage("several tokens hold a key " + wish.name + " (" + Joined(holders.names) +
                      "): say which with " + option + holders.silent);
  }
  std::vector<std::string> all;
  for (const auto& config : configs) all.push_back(config.name);
  return NotFound("no token shows a key " + wish.name + " without a login (asked: " + Joined(all) +
                  "): `keybroker key list` lists the keys of all; " + option +
                  " says which to log in to" + holders.silent);
}

}  // namespace

Result<TokenAccess> PrepareForKey(const config::Settings& settings, const TokenOptions& options,
                                  const KeyWish& wish, const std::string& except) {
  if (!options.token.empty()) return TokenAccess::Prepare(settings, options);
  KB_ASSIGN(auto configs, token::LoadTokenConfigs(settings));
  std::erase_if(configs, [&](const auto& config) { return config.name == except; });
  const auto prepare = [&](const std::string& name) {
    return TokenAccess::Prepare(settings, {name, options.word, options.pin});
  };
  if (configs.empty()) return TokenAccess::Prepare(settings, options);
  if (configs.size() == 1) return prepare(configs.front().name);
  KB_TRY(MakeStateDirectories(settings));
  const Holders holders = FindHolders(settings, configs, wish);
  if (holders.names.size() != 1) return Fail(Ambiguous(holders, configs, wish, options.word));
  return prepare(holders.names.front());
}

}  // namespace keybroker::cli
