#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/config/settings.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::tokenhost {

// TokenReport is a wire::TokenStatus that owns its texts (docs/protocol.md).
struct TokenReport {
  wire::TokenState state = wire::TokenState::kStarting;
  pid_t pid = 0;            // of the tokenhost
  uint64_t generation = 0;  // of its catalogue
  uint32_t keys = 0;
  std::string label;
  std::string serial;
  std::string model;
  std::string detail;  // what is wrong and what to do; in kReady, what is left out and why
};

// AskTokenStatus asks the tokenhost of token name how it stands. Unavailable: it does not run.
// Denied: the caller is not root, the token user or the broker's user.
Result<TokenReport> AskTokenStatus(const config::Settings& settings, std::string_view name);

// UnlockToken lifts the PIN guard of token name and has its tokenhost log in with pin; an empty pin
// has it try its configured PIN source once more. The report says whether that worked: kReady or
// not. Denied: the caller is neither root nor the token user.
Result<TokenReport> UnlockToken(const config::Settings& settings, std::string_view name,
                                Secret pin);

}  // namespace keybroker::tokenhost
