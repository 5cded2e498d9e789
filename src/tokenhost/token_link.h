#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/key_pair.h"
#include "keybroker/token/token.h"
#include "keybroker/wire/token_admin.h"
#include "tokenhost/watchdog.h"

namespace keybroker::tokenhost {

// LinkFailure is why the token cannot be used, and the state that means.
struct LinkFailure {
  wire::TokenState state;
  Error error;
};

// TokenLink is the way to the token: module, token, login and the PIN. For one thread at a time;
// each vendor call in it is marked for the watchdog.
class TokenLink {
 public:
  TokenLink(token::TokenConfig config, std::filesystem::path guard_directory, Watchdog& watchdog);

  // HasPinSource: the PIN is read anew for each login, from a file or a credential.
  bool HasPinSource() const { return !config_.pin_file.empty() || !config_.pin_credential.empty(); }

  // Connect loads the module if need be, finds the token and logs in, under the PIN guard. What
  // there was before is given up only when the new login stands.
  Result<void, LinkFailure> Connect();

  // Unlock allows one more login on the operator's word: with pin, or, when that is empty, with
  // what the PIN source says now.
  Result<void, LinkFailure> Unlock(Secret pin);

  // SourceProblem: the token is open by a PIN that was typed, and the PIN source does not have that
  // one, so that the next start may find the token locked. Tries nothing. Empty: all is well.
  std::string SourceProblem() const;

  // List reads the token's keys.
  Result<token::KeyList> List();

  // SignAuthenticated signs with a key that wants the PIN for each signature
  // (CKA_ALWAYS_AUTHENTICATE, PKCS#11 v2.40 section 4.9), under the PIN guard.
  Result<std::vector<uint8_t>> SignAuthenticated(const token::Session& session,
                                                 CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE mechanism,
                                                 const std::optional<token::PssParameters>& pss,
                                                 token::Bytes data);

  // RefusePin forgets the PIN: no login until Unlock. Gives the error with what to do about it.
  Error RefusePin(Error error);

  // Drop gives token and module up; while a session still holds the module it is used again.
  void Drop();

  // token is the one found, logged in or not; nullptr: none.
  const token::Token* token() const { return token_ ? &*token_ : nullptr; }

 private:
  Result<void, LinkFailure> FindToken(std::optional<token::Token>& found);
  Status LogIn(token::Token& token);
  Status FetchPin();
  void NoteLogin(const Status& status);
  Result<std::shared_ptr<token::Module>> LoadModule();
  Error NoPin() const;
  std::string PinSource() const;

  const token::TokenConfig config_;
  const std::filesystem::path guard_directory_;
  Watchdog& watchdog_;
  std::optional<token::Token> token_;
  std::shared_ptr<token::Module> module_;
  bool stale_ = false;  // load the module anew before the next use
  std::optional<Secret> pin_;
  bool pin_from_operator_ = false;
  bool opened_by_operator_ = false;  // the login that stands was made with his PIN
  std::string source_fate_;          // what became of the source's PIN last; empty: it was right
  std::string pin_refused_;          // why no login is tried until Unlock; empty: it may be
};

}  // namespace keybroker::tokenhost
