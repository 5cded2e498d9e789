#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/config/settings.h"
#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::token {

// PinGuardDirectory is where tokenhost and CLI keep the records; it belongs to the token user.
inline std::filesystem::path PinGuardDirectory(const config::Settings& settings) {
  return settings.TokenStateDir() / "pin-guard";
}

// PinOrigin says whose PIN is tried. A PIN that somebody mistyped says nothing about the one that
// the tokenhost logs in with.
enum class PinOrigin {
  kStanding,  // of the token's PIN source, or held by its tokenhost
  kTyped,     // given to one command of the operator's
};

// PinGuard keeps a wrong PIN from being tried until the token locks itself. One record per token
// serial in a directory shared by CLI and tokenhost; locked, written and synced before C_Login,
// cleared on CKR_OK. It forbids a login after one CKR_PIN_INCORRECT to a PIN of the same origin,
// and one of either origin when the token says that the next try is the final one, and after two
// attempts whose outcome was never recorded (a crash inside C_Login), until the operator allows
// one, across restarts. So no more than two tries are spent before he is asked.
class PinGuard {
 public:
  // Open uses DIRECTORY/SERIAL.toml (the serial is encoded so that it cannot leave the directory).
  // name is the token's in the configuration, for the command that is advised.
  static Result<PinGuard> Open(const std::filesystem::path& directory, std::string_view serial,
                               std::string_view name, PinOrigin origin = PinOrigin::kStanding);

  // Begin takes the lock, checks, and records an attempt. Denied, with rv 0 because nothing was
  // tried, says why, and to run `keybroker token unlock NAME`. flags are CK_TOKEN_INFO.flags now.
  Status Begin(CK_FLAGS flags);

  // End records what C_Login said and lets the lock go. CKR_OK clears the record; a failure that is
  // not about the PIN was no try, and leaves what was known before.
  Status End(CK_RV rv);

  // Allow lets one further attempt through, on the operator's word.
  Status Allow();

  // Blocked is the reason for which Begin would refuse, or empty.
  Result<std::string> Blocked(CK_FLAGS flags) const;

 private:
  std::filesystem::path record_;
  std::string unlock_;  // the command that allows a try
  PinOrigin origin_ = PinOrigin::kStanding;
  UniqueFd lock_;
};

}  // namespace keybroker::token
