#include "cli/key_text.h"

#include <vector>

#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

std::string YesNo(bool value) { return value ? "yes" : "no"; }

std::string Certificate(const Json& key, const char* field, const char* missing) {
  const auto certificate = key.find("certificate");
  if (certificate == key.end() || !certificate->is_object()) return missing;
  return GetText(*certificate, field);
}

std::string List(const Json& key, const char* field) {
  std::string text;
  const auto values = key.find(field);
  if (values == key.end() || !values->is_array()) return text;
  for (const auto& value : *values) {
    if (value.is_string()) text += (text.empty() ? "" : ", ") + value.get<std::string>();
  }
  return text;
}

std::string Kind(const Json& key) {
  return GetText(key, "type") + ", " + std::to_string(GetNumber(key, "bits")) + " bits";
}

}  // namespace

std::string GeneratedText(const Json& key, const std::string& token) {
  const std::string name = GetText(key, "name");
  const std::string which = ShellQuote(name) + " --type " + GetText(key, "type") +
                            (GetBool(key, "current") ? "" : " --id " + GetText(key, "id"));
  return "made the key " + name + " (" + Kind(key) + ") on the token \"" + token + "\"\n" +
         Columns({{"  id", GetText(key, "id")},
                  {"  current", YesNo(GetBool(key, "current"))},
                  {"  exportable",
                   GetBool(key, "exportable")
                       ? "yes, until it is sealed: keybroker backup export " + which + " -o FILE"
                       : "no, and it never will be"}}) +
         "next: keybroker request create " + which;
}

std::string KeyTable(const Json& keys, bool several_tokens) {
  std::vector<std::vector<std::string>> rows{
      {"NAME", "TYPE", "BITS", "CURRENT", "EXPORTABLE", "CERTIFICATE UNTIL", "ID"}};
  for (const auto& key : keys) {
    rows.push_back({GetText(key, "name"), GetText(key, "type"),
                    std::to_string(GetNumber(key, "bits")), YesNo(GetBool(key, "current")),
                    YesNo(GetBool(key, "exportable")), Certificate(key, "not_after", "none"),
                    GetText(key, "id")});
  }
  if (several_tokens) {
    rows.front().push_back("TOKEN");
    for (size_t i = 1; i < rows.size(); ++i) rows[i].push_back(GetText(keys[i - 1], "token"));
  }
  return rows.size() == 1 ? "no key yet: `keybroker key generate NAME` makes one" : Columns(rows);
}

std::string KeyText(const Json& key) {
  const std::string token = GetText(key, "token");
  return GetText(key, "name") + " (" + Kind(key) + ")" +
         (token.empty() ? "" : " on the token \"" + token + "\"") + "\n" +
         Columns({{"  id", GetText(key, "id")},
                  {"  current", YesNo(GetBool(key, "current"))},
                  {"  exportable", YesNo(GetBool(key, "exportable"))},
                  {"  sensitive", YesNo(GetBool(key, "sensitive"))},
                  {"  public key", GetText(key, "spki_sha256") + " (SHA-256, as in the audit log)"},
                  {"  mechanisms", List(key, "mechanisms")},
                  {"  certificate", Certificate(key, "subject", "none")},
                  {"  issuer", Certificate(key, "issuer", "-")},
                  {"  valid until", Certificate(key, "not_after", "-")}});
}

}  // namespace keybroker::cli
