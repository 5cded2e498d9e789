#include "cli/token_login.h"

#include <utility>

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::cli {

Result<token::PinGuard> GuardOf(const config::Settings& settings, const token::Token& token) {
  return token::PinGuard::Open(token::PinGuardDirectory(settings), token.info().serial);
}

Status LogIn(const config::Settings& settings, const token::TokenConfig& config,
             token::Token& token, const Secret& pin) {
  KB_ASSIGN(auto guard, GuardOf(settings, token));
  Status status = token.Login(pin, guard);
  if (status) return status;
  if (status.error().rv != CKR_PIN_INCORRECT) {
    Error error = std::move(status).error();
    error.detail = "token \"" + config.name + "\": " + error.detail;
    return Fail(std::move(error));
  }
  return Fail(Denied("the PIN of the token \"" + config.name +
                         "\" is wrong (CKR_PIN_INCORRECT). It was tried once and will not be tried "
                         "again until `keybroker token unlock " +
                         config.name + "` says so",
                     status.error().rv));
}

}  // namespace keybroker::cli
