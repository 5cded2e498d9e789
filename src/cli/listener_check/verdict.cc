#include "cli/listener_check/verdict.h"

#include <algorithm>

#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/chain.h"

namespace keybroker::cli {
namespace {

using credential::Certificate;
using credential::FormatTime;

std::string WriteAgain(const Expected& expected) {
  return "write the files again (`" + expected.rewrite + "`) and reload the server";
}

std::string Named(const KeyTarget& target) {
  return target.name + " (" + std::string(cryptoki::KeyTypeName(target.type)) + ")";
}

std::string Described(const Certificate& one) {
  return "\"" + one.subject + "\", serial " + one.serial + ", until " + FormatTime(one.not_after);
}

Verdict Wrong(std::string word, std::string text) {
  return {false, std::move(word), std::move(text)};
}

// ServedId is the CKA_ID that the leaf's key has on a token: its subject key identifier.
std::string ServedId(const Certificate& leaf) {
  const auto id = token::SubjectKeyId(leaf.spki);
  return id ? Hex(*id) : std::string();
}

// IsTarget: an id that is no SHA-1 was not given by keybroker, and the installed leaf has to tell.
bool IsTarget(const Expected& expected, const Certificate& leaf, const std::string& id) {
  if (id == expected.target.id_hex) return true;
  return expected.target.id_hex.size() != id.size() && !expected.installed.empty() &&
         expected.installed.front().spki == leaf.spki;
}

Verdict WrongKey(const Expected& expected, const Certificate& leaf, const std::string& id) {
  const auto known = expected.find_key(id);
  if (!known) {
    return Wrong("other-key", "the server has a key that keybroker does not know (certificate " +
                                  Described(leaf) +
                                  "): it still reads a key file of its own, or it is not the "
                                  "listener's server. Look at its configuration");
  }
  if (known->name == expected.target.name && known->type == expected.target.type) {
    return Wrong("other-generation",
                 "the server signs with a generation of the key that is not current (" + id +
                     ", current is " + expected.target.id_hex + "): " + WriteAgain(expected));
  }
  return Wrong("other-key", "the server has the key of " + Named(*known) + ", not that of " +
                                Named(expected.target) +
                                ": its configuration names another "
                                "reference file");
}

std::optional<Verdict> JudgeLeaf(const Expected& expected, const Certificate& leaf) {
  const bool renewed = !expected.installed.empty() && expected.installed.front().der != leaf.der;
  const std::string what = "the served certificate (" + Described(leaf) + ")";
  if (renewed) {
    return Wrong(leaf.not_after < expected.now ? "expired" : "other-certificate",
                 what + " is not the installed one (" + Described(expected.installed.front()) +
                     "): " + WriteAgain(expected));
  }
  if (leaf.not_after < expected.now) {
    return Wrong("expired", what + " expired: `keybroker request create " +
                                ShellQuote(expected.target.name) +
                                "`, `certificate install`, then " + WriteAgain(expected));
  }
  if (leaf.not_before > expected.now) {
    return Wrong("not-yet-valid", what + " is not valid before " + FormatTime(leaf.not_before) +
                                      ": wait, or set this host's clock");
  }
  if (!credential::FitsName(leaf, expected.name)) {
    return Wrong("wrong-name", what + " is not for " + expected.name +
                                   ": ask the CA for one with this subjectAltName, or check with "
                                   "the --name that clients use");
  }
  return std::nullopt;
}

bool IsBeginningOf(const std::vector<Certificate>& part, const std::vector<Certificate>& whole) {
  return part.size() <= whole.size() &&
         std::equal(part.begin(), part.end(), whole.begin(),
                    [](const auto& a, const auto& b) { return a.der == b.der; });
}

std::optional<Verdict> JudgeChain(const Expected& expected,
                                  const std::vector<Certificate>& served) {
  const auto& installed = expected.installed;
  if (served.size() < installed.size() && IsBeginningOf(served, installed)) {
    return Wrong("chain-incomplete",
                 "the server sends " + std::to_string(served.size()) + " of the " +
                     std::to_string(installed.size()) + " certificates of the chain (the next is " +
                     "\"" + installed[served.size()].subject +
                     "\"): let it read its certificates from the reference file, which holds all");
  }
  // What `certificate install` accepted is not judged a second time by the system's roots.
  if (expected.anchors.empty() && IsBeginningOf(installed, served) && !installed.empty()) {
    return std::nullopt;
  }
  const auto chain = credential::CheckChain(
      served, {expected.name, expected.now, expected.anchors, true, false, ""});
  if (chain) return std::nullopt;
  return Wrong("chain-incomplete",
               "clients cannot verify what the server sends: " + chain.error().detail);
}

}  // namespace

Verdict Judge(const Expected& expected, const std::vector<Certificate>& served) {
  const Certificate& leaf = served.front();
  const std::string id = ServedId(leaf);
  if (!IsTarget(expected, leaf, id)) return WrongKey(expected, leaf, id);
  if (auto verdict = JudgeLeaf(expected, leaf)) return *verdict;
  if (auto verdict = JudgeChain(expected, served)) return *verdict;
  return {true, "ok", ""};
}

}  // namespace keybroker::cli
