#pragma once

#include "cli/answer.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"

namespace keybroker::cli {

// kPinOk is field "pin" of LookAtToken when nothing is to be said about the PIN.
inline constexpr char kPinOk[] = "ok";

// LookAtToken describes a token without logging in: label, serial, model, write protection, and
// what token and PIN guard say of its PIN ("pin", and "pin_usable": a login would be tried). Of a
// token that admits one process only what its tokenhost knows, while one has it.
Result<Json> LookAtToken(const config::Settings& settings, const token::TokenConfig& config);

}  // namespace keybroker::cli
