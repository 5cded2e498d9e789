#pragma once

#include <memory>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_guard.h"
#include "keybroker/token/session.h"

namespace keybroker::token {

// TokenInfo is CK_TOKEN_INFO with the padding taken off.
struct TokenInfo {
  CK_SLOT_ID slot = 0;
  std::string label;
  std::string manufacturer;
  std::string model;
  std::string serial;
  CK_FLAGS flags = 0;
  unsigned min_pin = 0;
  unsigned max_pin = 0;
  std::string firmware;
};

// ListTokens describes the token of every slot that has one.
Result<std::vector<TokenInfo>> ListTokens(const Module& module);

// Token is one token that was found by label and serial. It owns the login; a Session never logs in
// or out. Not thread-safe; its Sessions are each for one thread.
class Token {
 public:
  // Find: NotFound when no token fits (the message lists what there is), Conflict when two do,
  // Unavailable when the token is there but not initialised.
  static Result<Token> Find(std::shared_ptr<Module> module, const TokenConfig& config);

  // Login logs the user in under the guard (pin_guard.h). Accepts CKR_USER_ALREADY_LOGGED_IN.
  // Denied: wrong PIN, locked PIN, or the guard forbids it; the message says what to do.
  Status Login(const Secret& pin, PinGuard& guard);

  // OpenSession opens a session of its own, read-write when asked (Denied on a write-protected
  // token).
  Result<Session> OpenSession(bool read_write) const;

  // ChangePin is C_SetPIN for the logged-in user. The guard is kept as for Login.
  Status ChangePin(const Secret& old_pin, const Secret& new_pin, PinGuard& guard);

  // Refresh reads CK_TOKEN_INFO again: presence, PIN flags.
  Status Refresh();

  const TokenInfo& info() const { return info_; }
  const std::shared_ptr<Module>& module() const { return module_; }

 private:
  Token() = default;
  std::shared_ptr<Module> module_;
  TokenInfo info_;
  // Holds the login: PKCS#11 logs a token out when its last session closes (v2.40 section 5.6).
  std::shared_ptr<Session> login_session_;
};

// InitToken initialises the token in a slot (C_InitToken), then sets the user PIN as SO. Denied
// unless the token in it is uninitialised or overwrite is true: this destroys every key on it.
Status InitToken(const Module& module, CK_SLOT_ID slot, std::string_view label,
                 const Secret& so_pin, const Secret& user_pin, bool overwrite);

}  // namespace keybroker::token
