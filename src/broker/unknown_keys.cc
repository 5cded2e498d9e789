#include "broker/unknown_keys.h"

#include "broker/token_gate.h"

namespace keybroker::broker {
namespace {

bool AreKnown(const TokenKeys& token) {
  // A tokenhost keeps what it saw before its token went away.
  return token.catalogue != nullptr &&
         (token.catalogue->token_present || !token.catalogue->keys.empty());
}

// Standing is how the token stands ("the token main is locked"), and what ends that.
struct Standing {
  std::string is;
  std::string until;
};

Standing StandingOf(const TokenGate& gate) {
  const TokenReport report = gate.report();
  const std::string& name = gate.name();
  if (gate.unreachable() || !report.known) {
    return {"the tokenhost of the token " + name + " does not answer",
            "it runs: `keybroker token list`, and its log, say why it does not"};
  }
  // What it said last is older than what was seen since.
  if (report.state == wire::TokenState::kReady || report.state == wire::TokenState::kStarting) {
    return {"the token " + name + " is being looked at", "that is done: ask again in a moment"};
  }
  const std::string is =
      "the token " + name + " is " + std::string(wire::TokenStateName(report.state));
  const std::string why = report.detail.empty() ? "" : " (" + report.detail + ")";
  if (report.state == wire::TokenState::kLocked)
    return {is, "`keybroker token unlock " + name + "`" + why};
  return {is, "that ends" + why};
}

}  // namespace

std::string WhyKeysAreUnknown(const TokenKeys& token) {
  if (AreKnown(token)) return {};
  const Standing standing = StandingOf(*token.gate);
  return standing.is + ": its keys are unknown until " + standing.until;
}

std::string WhyKeysAreUnknown(const std::vector<TokenKeys>& tokens) {
  std::string text;
  for (const TokenKeys& token : tokens) {
    const std::string why = WhyKeysAreUnknown(token);
    if (!why.empty()) text += (text.empty() ? "" : "; ") + why;
  }
  return text;
}

std::string WhyTokenIsAway(const TokenKeys& token) {
  if (!token.gate->away()) return {};
  const Standing standing = StandingOf(*token.gate);
  return standing.is + ": nothing is signed with its keys until " + standing.until;
}

}  // namespace keybroker::broker
