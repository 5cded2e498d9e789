#pragma once

#include <optional>
#include <string>

#include "cli/answer.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {

// TokenIdentity is what a token is known again by.
struct TokenIdentity {
  std::string serial;  // CK_TOKEN_INFO
  std::string model;   // CK_TOKEN_INFO, the manufacturer before it
  std::string label;   // CK_TOKEN_INFO; for a reader only: NSS's comes from the configuration
};

TokenIdentity IdentityOf(const token::TokenInfo& info);

// SameToken: two with one model and serial number are one token, whatever they are configured as;
// so is a token with a copy of its files, and so are two databases of NSS, which gives all of them
// the serial number 0: nothing that is the token's own word tells them apart.
bool SameToken(const TokenIdentity& a, const TokenIdentity& b);

// IdentityJson and ParseIdentity are its form in records and between processes. Nothing when there
// is no model in json.
Json IdentityJson(const TokenIdentity& identity);
std::optional<TokenIdentity> ParseIdentity(const Json& json);

// TokenText is `"spare" (SoftHSM project SoftHSM v2, serial 0123)`, with its configured name.
std::string TokenText(const std::string& name, const TokenIdentity& identity);

}  // namespace keybroker::cli
