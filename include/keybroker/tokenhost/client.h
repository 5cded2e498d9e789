#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/base/unique_fd.h"
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
  // What is wrong and what to do; in kReady, what the next start would meet (a PIN source that does
  // not have the PIN that was typed), and which keys are left out and why.
  std::string detail;
};

// AskTokenStatus asks the tokenhost of token name how it stands. Unavailable: it does not run.
// Denied: the caller is not root, the token user or the broker's user.
Result<TokenReport> AskTokenStatus(const config::Settings& settings, std::string_view name);

// UnlockToken lifts the PIN guard of token name and has its tokenhost log in with pin; an empty pin
// has it try its configured PIN source once more. The report says whether that worked: kReady or
// not. A token that was kReady before is left logged in: nothing is tried. Denied: the caller is
// neither root nor the token user.
Result<TokenReport> UnlockToken(const config::Settings& settings, std::string_view name,
                                Secret pin);

// TokenLoan is the time for which a tokenhost has let go of its token. It ends with this object, or
// with this process: the tokenhost then takes the token back.
class TokenLoan {
 public:
  explicit TokenLoan(UniqueFd connection) : connection_(std::move(connection)) {}

 private:
  UniqueFd connection_;
};

// BorrowToken has the tokenhost of token name let go of it, for a token that admits one process at
// a time. Signatures wait meanwhile, so hold it for the token's work only. Unavailable: no
// tokenhost runs, or another command has the token. Denied: the caller is neither root nor the
// token user.
Result<TokenLoan> BorrowToken(const config::Settings& settings, std::string_view name);

}  // namespace keybroker::tokenhost
