#include "cli/reference_file.h"

#include <ctime>

#include "cli/answer.h"
#include "cli/layout.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/reference.h"

namespace keybroker::cli {

Result<ReferenceFormat> ParseReferenceFormat(const std::string& text) {
  if (text == "engine") return ReferenceFormat::kEngine;
  if (text == "provider") return ReferenceFormat::kProvider;
  return Fail(WrongUsage("\"" + text +
                         "\" is not a format: engine (keybroker's OpenSSL "
                         "engine) or provider (pkcs11-provider)"));
}

std::vector<KeyTarget> KnownTargets(const policy::CurrentKeys& current, const KeyWish& wish) {
  std::vector<KeyTarget> fitting;
  for (const auto& [entry, id] : current.ids) {
    const auto& [name, type] = entry;
    if (name != wish.name || (wish.type && *wish.type != type)) continue;
    if (!wish.id.empty() && wish.id != id) continue;
    fitting.push_back({name, type, id});
  }
  return fitting;
}

Result<std::vector<credential::Certificate>> InstalledChain(const config::Settings& settings,
                                                            const KeyTarget& target) {
  const auto file = ChainFile(settings, target.name, target.type, target.id_hex);
  const auto text = ReadFile(file);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return std::vector<credential::Certificate>();
  }
  KB_TRY(text);
  KB_ASSIGN(auto chain, credential::ParseCertificates(*text));
  KB_ASSIGN(const auto key_id, token::SubjectKeyId(chain.front().spki));
  if (target.id_hex.size() == 2 * key_id.size() && Hex(key_id) != target.id_hex) {
    return Fail(Malformed(file.string() + " is not the chain of this key: install the certificate "
                                          "again"));
  }
  return chain;
}

std::vector<std::string> ExpiredNotes(const KeyTarget& target,
                                      const std::vector<credential::Certificate>& chain) {
  std::vector<std::string> notes;
  const int64_t now = std::time(nullptr);
  for (const auto& one : chain) {
    if (one.not_after >= now) continue;
    notes.push_back("warning: the certificate \"" + one.subject + "\" in the chain of " +
                    target.name + " (" + std::string(cryptoki::KeyTypeName(target.type)) +
                    ") expired at " + credential::FormatTime(one.not_after) +
                    ", and clients refuse it: `keybroker request create " +
                    ShellQuote(target.name) +
                    "`, `keybroker certificate install`, then this again");
  }
  return notes;
}

Result<std::string> FormatReference(const KeyTarget& target, const std::string& socket,
                                    ReferenceFormat format,
                                    const std::vector<credential::Certificate>& chain) {
  KB_ASSIGN(const auto id, ParseHex(target.id_hex));
  const credential::Reference reference{{id.begin(), id.end()}, socket};
  return format == ReferenceFormat::kEngine ? credential::FormatReferenceFile(reference, chain)
                                            : credential::FormatProviderFile(reference, chain);
}

}  // namespace keybroker::cli
