#include "cli/token_identity.h"

#include "keybroker/base/printable.h"

namespace keybroker::cli {
TokenIdentity IdentityOf(const token::TokenInfo& info) {
  return {info.serial, info.manufacturer + " " + info.model, info.label};
}

bool SameToken(const TokenIdentity& a, const TokenIdentity& b) {
  return a.model == b.model && a.serial == b.serial;
}

Json IdentityJson(const TokenIdentity& identity) {
  return {{"serial", identity.serial}, {"model", identity.model}, {"label", identity.label}};
}

std::optional<TokenIdentity> ParseIdentity(const Json& json) {
  TokenIdentity identity{GetText(json, "serial"), GetText(json, "model"), GetText(json, "label")};
  if (identity.model.empty()) return std::nullopt;
  return identity;
}

std::string TokenText(const std::string& name, const TokenIdentity& identity) {
  return "\"" + name + "\" (" + EscapeUnprintable(identity.model) + ", serial " +
         EscapeUnprintable(identity.serial) + ")";
}

}  // namespace keybroker::cli
