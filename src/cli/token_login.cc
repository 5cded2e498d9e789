#include "cli/token_login.h"

#include <utility>

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::cli {

Result<token::PinGuard> GuardOf(const config::Settings& settings, const token::Token& token,
                                const std::string& name, token::PinOrigin origin) {
  return token::PinGuard::Open(token::PinGuardDirectory(settings), token.info().serial, name,
                               origin);
}

Status LogIn(const config::Settings& settings, const token::TokenConfig& config,
             token::Token& token, const Secret& pin, token::PinOrigin origin) {
  KB_ASSIGN(auto guard, GuardOf(settings, token, config.name, origin));
  Status status = token.Login(pin, guard);
  if (status) return status;
  const bool typed = origin == token::PinOrigin::kTyped;
  const std::string source =
      typed || config.pin_file.empty() ? "" : " (read from " + config.pin_file.string() + ")";
  if (status.error().rv != CKR_PIN_INCORRECT) {
    Error error = std::move(status).error();
    error.detail = "token \"" + config.name + "\"" +
                   (error.code == ErrorCode::kDenied ? source : "") + ": " + error.detail;
    return Fail(std::move(error));
  }
  const std::string held =
      typed ? "It was tried once, and no PIN that is typed will be tried"
            : "It was tried once and will not be tried again, by the tokenhost either,";
  const std::string unharmed = typed ? ". The tokenhost's own login is not held up" : "";
  return Fail(Denied("the PIN of the token \"" + config.name + "\"" + source +
                         " is wrong (CKR_PIN_INCORRECT). " + held +
                         " until `keybroker token unlock " + config.name + "` says so" + unharmed,
                     status.error().rv));
}

}  // namespace keybroker::cli
