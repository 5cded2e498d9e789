#include <memory>
#include <utility>

#include "cli/change.h"
#include "cli/commands.h"
#include "cli/key_choice.h"
#include "cli/key_tokens.h"
#include "cli/output_file.h"
#include "cli/token_access.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/request.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {
namespace {

struct RequestOptions {
  TokenOptions token;
  std::string name;
  std::string type;
  std::string id;
  std::string subject;
  std::vector<std::string> dns_names;
  bool no_subject = false;
  bool der = false;
  std::string output = "-";
};

Result<credential::RequestSpec> Spec(const RequestOptions& options) {
  credential::RequestSpec spec;
  if (options.no_subject && !options.subject.empty()) {
    return Fail(WrongUsage("--subject and --no-subject exclude each other"));
  }
  spec.subject =
      options.subject.empty() ? credential::DefaultSubject(options.name) : options.subject;
  if (options.no_subject) spec.subject.clear();
  spec.dns_names = {options.name};
  for (const std::string& dns : options.dns_names) {
    KB_TRY(policy::CheckKeyName(dns));
    if (dns != options.name) spec.dns_names.push_back(dns);
  }
  return spec;
}

Result<Json> MakeOnToken(LoggedIn& token, const policy::CurrentKeys& current, const KeyWish& wish,
                         const credential::RequestSpec& spec) {
  KB_ASSIGN(const auto keys, token::ListKeys(token.session));
  KB_ASSIGN(const token::KeyPair* key, PickKey(keys, current, wish));
  const credential::Signer sign = [&](CK_MECHANISM_TYPE mechanism, token::Bytes data) {
    return token.session.Sign(key->private_key, mechanism, std::nullopt, data,
                              key->always_authenticate ? token.pin : nullptr);
  };
  KB_ASSIGN(const auto der, credential::MakeRequest({key->type, key->bits, key->spki}, spec, sign));
  Json json = KeyJson(*key, IsCurrent(keys, current, *key));
  json["der"] = Hex(der);
  return json;
}

// CheckReplaceable keeps what is no request, a key file that was named by mistake, as it is.
Status CheckReplaceable(const std::string& path) {
  if (path == "-") return {};
  const auto there = ReadFile(path);
  if (!there && there.error().code == ErrorCode::kNotFound) return {};
  if (there && credential::IsRequest(*there)) return {};
  return Fail(Conflict(path + " is there and is no certificate request: it was left as it is. Name "
                              "another file, or move it away"));
}

Result<Answer> RequestCreate(const Invocation& invocation, const RequestOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto spec, Spec(options));
  KB_TRY(CheckReplaceable(options.output));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const auto access, PrepareForKey(settings, options.token, wish));
  KB_ASSIGN(Change change, Change::Begin(settings));
  ChangeRecord record{"request-create", wish.name, "", "token " + access.config().name};
  KB_ASSIGN(const Json made, Recorded(change, record, [&] {
              return access.Run(
                  false, [&](LoggedIn& token) { return MakeOnToken(token, current, wish, spec); });
            }));
  record.key_id = GetText(made, "id");
  KB_ASSIGN(const auto der, ParseHex(GetText(made, "der")));
  const std::string pem = credential::FormatRequest(der);
  const std::string bytes = options.der ? std::string(der.begin(), der.end()) : pem;
  Answer answer;
  answer.json = {{"name", wish.name},       {"type", GetText(made, "type")}, {"id", record.key_id},
                 {"subject", spec.subject}, {"dns_names", spec.dns_names},   {"pem", pem}};
  KB_TRY(WriteOutput(options.output, bytes, {},
                     "the request for " + wish.name + " (" + GetText(made, "type") + ")", answer));
  if (options.output != "-") {
    answer.text += "\nnext: have a CA sign it, then: keybroker certificate install " +
                   ShellQuote(wish.name) + " FILE";
  }
  KB_TRY(change.Record(record, {}));
  return answer;
}

}  // namespace

void AddRequest(const Command& root) {
  const Command noun = root.Noun("request", "certificate requests (CSR)");
  auto options = std::make_shared<RequestOptions>();
  const Command verb =
      noun.Verb("create", "write a certificate request signed by the token",
                "keybroker request create mail.example.test --dns imap.example.test -o mail.csr");
  verb.Argument("NAME", options->name, "key name, an FQDN")
      .Option("--type", options->type, "rsa or ec, when the name has both")
      .Option("--id", options->id, "CKA_ID in hexadecimal, for a generation that is not current")
      .Repeated("--dns", options->dns_names, "a further subjectAltName; may be repeated")
      .Option("--subject", options->subject, "distinguished name (RFC 4514), default CN=NAME")
      .Flag("--no-subject", options->no_subject, "leave the subject empty")
      .Flag("--der", options->der, "DER instead of PEM")
      .Option("-o,--output", options->output, "file to write, - for standard output (default)");
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return RequestCreate(i, *options); });
}

}  // namespace keybroker::cli
