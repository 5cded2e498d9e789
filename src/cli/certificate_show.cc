#include <memory>

#include "cli/certificate_commands.h"
#include "cli/key_choice.h"
#include "cli/layout.h"
#include "keybroker/base/file.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

using credential::Certificate;

struct ShowOptions {
  std::string name;
  std::string type;
};

// Facts is what a chain file holds, for --json.
Json Facts(const std::vector<Certificate>& chain) {
  Json all = Json::array();
  for (const Certificate& one : chain) {
    all.push_back({{"subject", one.subject},
                   {"issuer", one.issuer},
                   {"serial", one.serial},
                   {"not_before", credential::FormatTime(one.not_before)},
                   {"not_after", credential::FormatTime(one.not_after)},
                   {"dns_names", one.dns_names}});
  }
  return all;
}

std::string FactsText(const std::string& name, const std::string& type, const Json& chain) {
  std::string text = name + " (" + type + ")\n";
  for (const Json& one : chain) {
    text += Columns({{"  subject", GetText(one, "subject")},
                     {"  issuer", GetText(one, "issuer")},
                     {"  serial", GetText(one, "serial")},
                     {"  valid", GetText(one, "not_before") + " to " + GetText(one, "not_after")}});
  }
  return text;
}

// CertificateShow needs no PIN: it reads the chain that the installation left, of the current key.
Result<Answer> CertificateShow(const Invocation& invocation, const ShowOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, ""));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  Answer answer;
  answer.json["certificates"] = Json::array();
  for (const auto& [entry, id] : current.ids) {
    const auto& [name, type] = entry;
    if (name != wish.name || (wish.type && *wish.type != type)) continue;
    const auto file = ChainFile(settings, name, type, id);
    const auto text = ReadFile(file);
    if (!text && text.error().code == ErrorCode::kNotFound) continue;
    KB_TRY(text);
    KB_ASSIGN(const auto chain, ParseFile(*text, file));
    const std::string type_name(cryptoki::KeyTypeName(type));
    const Json facts = Facts(chain);
    answer.text += FactsText(name, type_name, facts);
    answer.json["certificates"].push_back(
        {{"name", name}, {"type", type_name}, {"id", id}, {"chain", facts}, {"pem", *text}});
  }
  if (!answer.text.empty()) return answer;
  return Fail(NotFound("no certificate is installed for the current keys of " + wish.name +
                       ": `keybroker certificate install " + ShellQuote(wish.name) + " FILE`"));
}

}  // namespace

void AddCertificateShow(const Command& noun) {
  auto show = std::make_shared<ShowOptions>();
  const Command shower = noun.Verb("show", "show the certificates of a name's current keys",
                                   "keybroker certificate show mail.example.test");
  shower.Argument("NAME", show->name, "key name, an FQDN")
      .Option("--type", show->type, "rsa or ec; both when left out");
  shower.Does([show](const Invocation& i) { return CertificateShow(i, *show); });
}

}  // namespace keybroker::cli
