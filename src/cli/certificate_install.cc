#include <ctime>
#include <memory>
#include <utility>

#include "cli/certificate_commands.h"
#include "cli/certificate_match.h"
#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/key_text.h"
#include "cli/key_tokens.h"
#include "cli/layout.h"
#include "cli/rewrite.h"
#include "cli/token_access.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/credential/chain.h"

namespace keybroker::cli {
namespace {

using credential::Certificate;

struct InstallOptions {
  TokenOptions token;
  std::string name;
  std::string file;
  std::string type;
  std::string ca;
  bool allow_incomplete = false;
};

// Input is what the parent read before the token's process began.
struct Input {
  std::string text;
  std::string ca;
};

Result<Input> ReadInput(const InstallOptions& options) {
  Input input;
  KB_ASSIGN(input.text, ReadFile(options.file));
  if (!options.ca.empty()) {
    KB_ASSIGN(input.ca, ReadFile(options.ca));
  }
  return input;
}

Result<std::vector<Certificate>> Check(const InstallOptions& options, const Input& input,
                                       const std::vector<Certificate>& certificates) {
  credential::ChainRules rules;
  rules.name = options.name;
  rules.now = std::time(nullptr);
  rules.allow_incomplete = options.allow_incomplete;
  rules.otherwise = ", or say --allow-incomplete";
  if (!options.ca.empty()) {
    KB_ASSIGN(rules.anchors, ParseFile(input.ca, options.ca));
  }
  return credential::CheckChain(certificates, rules);
}

Result<Json> InstallOnToken(LoggedIn& token, const policy::CurrentKeys& current,
                            const InstallOptions& options, const Input& input,
                            const KeyWish& wish) {
  KB_ASSIGN(const auto certificates, ParseFile(input.text, options.file));
  KB_ASSIGN(auto keys, token::ListKeys(token.session));
  KB_ASSIGN(const token::KeyPair* key, MatchKey(keys, wish, certificates));
  KB_ASSIGN(const auto chain, Check(options, input, certificates));
  KB_TRY(token::WriteCertificate(token.session, *key, chain.front().der));
  token::KeyPair with_certificate = *key;
  with_certificate.certificate = chain.front().der;
  Json json = KeyJson(with_certificate, IsCurrent(keys, current, *key));
  json["chain"] = credential::FormatCertificates(chain);
  json["chain_length"] = chain.size();
  return json;
}

Status StoreChain(const config::Settings& settings, const Json& key, std::string* file) {
  const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
  if (!type || !ParseHex(GetText(key, "id"))) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  const auto path = ChainFile(settings, GetText(key, "name"), *type, GetText(key, "id"));
  KB_TRY(MakeDirectory(path.parent_path(), "", 0755));
  const Status written = WriteFileAtomically(path, GetText(key, "chain"));
  if (!written) {
    return Fail(Internal("the certificate is on the token, but its chain could not be written: " +
                         written.error().detail + ". Run the same command again"));
  }
  *file = path;
  return {};
}

Result<Answer> CertificateInstall(const Invocation& invocation, const InstallOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, ""));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const Input input, ReadInput(options));
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const auto access, PrepareForKey(settings, options.token, wish));
  KB_ASSIGN(Change change, Change::Begin(settings));
  ChangeRecord record{"certificate-install", wish.name, "", "token " + access.config().name};
  KB_ASSIGN(Json key, Recorded(change, record, [&] {
              return access.Run(true, [&](LoggedIn& token) {
                return InstallOnToken(token, current, options, input, wish);
              });
            }));
  record.key_id = GetText(key, "id");
  std::string file;
  KB_TRY(Recorded(change, record, [&] { return StoreChain(settings, key, &file); }));
  key.erase("chain");
  key["chain_file"] = file;
  Answer answer;
  const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
  answer.text =
      "installed the certificate on " + KeyText(key) + NextRewrites(settings, wish.name, *type);
  answer.json["key"] = key;
  KB_TRY(change.Done(record, answer));
  return answer;
}

}  // namespace

void AddCertificateInstall(const Command& noun) {
  auto install = std::make_shared<InstallOptions>();
  const Command installer =
      noun.Verb("install", "store a certificate beside its key on the token",
                "keybroker certificate install mail.example.test chain.pem --ca root.pem");
  installer.Argument("NAME", install->name, "key name, an FQDN")
      .Argument("FILE", install->file, "PEM: the certificate, then its issuers; or DER")
      .Option("--type", install->type, "rsa or ec, to insist on it")
      .Option("--ca", install->ca, "PEM file with the root of a private CA")
      .Flag("--allow-incomplete", install->allow_incomplete,
            "take a chain whose root is not known here");
  AddTokenOptions(installer, install->token);
  installer.Does([install](const Invocation& i) { return CertificateInstall(i, *install); });
}

}  // namespace keybroker::cli
