#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/answer.h"
#include "cli/command.h"
#include "cli/pin.h"
#include "cli/token_child.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"
#include "keybroker/token/profile.h"
#include "keybroker/token/session.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {

// TokenWord is how a command has its token named: by --token, by an argument of its own, or by
// --from, where --to names another.
enum class TokenWord { kOption, kArgument, kFrom };

// TokenOption is the option's name.
std::string_view TokenOption(TokenWord word);

// TokenOptions says which token, and where its PIN comes from.
struct TokenOptions {
  std::string token;  // name of its file; empty: the only one there is
  TokenWord word = TokenWord::kOption;
  PinOptions pin;
};

// AddTokenOptions adds --token, --pin-file and --pin-fd.
void AddTokenOptions(const Command& command, TokenOptions& options);

// ChooseToken gives the named token's configuration, or the only one's. NotFound lists what there
// is and how to add one; Malformed when there are several and none is named.
Result<token::TokenConfig> ChooseToken(const config::Settings& settings, const std::string& name,
                                       TokenWord word = TokenWord::kOption);

// LoggedIn is a token with its user logged in and a session, in the token's own process.
struct LoggedIn {
  token::Token token;
  token::Session session;
  token::Profile profile;
  token::TokenConfig config;
  const Secret* pin;                // for keys with CKA_ALWAYS_AUTHENTICATE
  std::span<const Secret> secrets;  // what Run was given beside the PIN
  Ask ask;                          // to what Run was given as answer
};

using LoggedInWork = std::function<Result<Json>(LoggedIn& token)>;

// TokenAccess is the operator's way to one token: its configuration and, where it is not read from
// the configured source, its PIN.
class TokenAccess {
 public:
  // Prepare takes the PIN from the options, else leaves it to the token's configured file, else
  // asks the terminal. Nothing is loaded yet.
  static Result<TokenAccess> Prepare(const config::Settings& settings, const TokenOptions& options);

  // Run does work as the token user (token_child.h) after logging in under the PIN guard.
  // read_write asks for a session that can change the token.
  Result<Json> Run(bool read_write, const LoggedInWork& work) const {
    return Run(read_write, {}, work);
  }

  // Run with secrets hands them to work as LoggedIn::secrets.
  Result<Json> Run(bool read_write, const std::vector<const Secret*>& secrets,
                   const LoggedInWork& work) const;

  // Run with answer has work ask questions, by LoggedIn::ask, of the process that runs this.
  Result<Json> Run(bool read_write, const std::vector<const Secret*>& secrets,
                   const LoggedInWork& work, const Answerer& answer) const;

  const token::TokenConfig& config() const { return config_; }

 private:
  TokenAccess(const config::Settings& settings, token::TokenConfig config)
      : settings_(settings), config_(std::move(config)) {}

  config::Settings settings_;
  token::TokenConfig config_;
  std::optional<Secret> pin_;
};

}  // namespace keybroker::cli
