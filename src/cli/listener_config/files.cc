#include "cli/listener_config/files.h"

#include "cli/layout.h"
#include "cli/listener_config/template.h"
#include "keybroker/base/hex.h"
#include "keybroker/credential/reference_format.h"

namespace keybroker::cli {
namespace {

constexpr std::string_view kEngineConfiguration =
    R"(# It names no listener: the references name the socket. Every server of this host may share it.
openssl_conf = openssl_init

[openssl_init]
engines = engine_section

[engine_section]
keybroker = keybroker_section

[keybroker_section]
engine_id = keybroker
dynamic_path = @ENGINE@
MODULE_PATH = @MODULE@
init = 1
)";

constexpr std::string_view kProviderConfiguration =
    R"(# It names the listener's socket, which pkcs11-provider's key files cannot: one for each listener.
openssl_conf = openssl_init

[openssl_init]
providers = provider_section

[provider_section]
default = default_section
pkcs11 = pkcs11_section

[default_section]
activate = 1

[pkcs11_section]
module = @PROVIDER@
pkcs11-module-path = @MODULE@
pkcs11-module-init-args = socket=@SOCKET@
activate = 1
)";

constexpr std::string_view kSystemdDropIn = R"([Service]
Environment=OPENSSL_CONF=@DIR@/openssl.cnf
)";

// GnuTLS does not hand x-init-reserved on.
constexpr std::string_view kGnuTlsDropIn = R"([Service]
Environment=KEYBROKER_SOCKET=@SOCKET@
)";

constexpr std::string_view kP11KitModule =
    R"(# p11-kit gives this module to every program that uses it, under this listener's socket. With several
# such servers on one host, a file for each, with the server's program in enable-in:
# enable-in: exim4
module: @MODULE@
x-init-reserved: socket=@SOCKET@
# Absence of the broker must not take the other modules away.
critical: no
)";

// The characters that no server's configuration language gives a meaning.
bool IsPlain(const std::filesystem::path& path) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@";
  const std::string& text = path.native();
  return path.is_absolute() && text.find_first_not_of(kPlain) == std::string::npos;
}

Status CheckPaths(const ConfigFacts& facts) {
  for (const auto& path :
       {facts.directory, facts.socket, facts.libraries.module, facts.libraries.engine}) {
    if (IsPlain(path)) continue;
    return Fail(Malformed("\"" + path.string() +
                          "\" cannot stand in every server's configuration: an absolute path of "
                          "letters, digits and / . _ - + @ is needed"));
  }
  return {};
}

Values MakeValues(const ConfigFacts& facts) {
  Values values{{"DIR", {facts.directory}},
                {"LISTENER", {facts.listener}},
                {"KEY", {facts.keys.front().target.name}},
                {"SOCKET", {facts.socket}},
                {"MODULE", {facts.libraries.module}},
                {"ENGINE", {facts.libraries.engine}},
                {"PROVIDER", {OpenSslProvidersDirectory() / "pkcs11.so"}},
                {"UNIT", {std::string(facts.recipe->unit)}},
                {"REFERENCE", {}},
                {"URI", {}},
                {"FIRST", {}},
                {"SECOND", {}}};
  for (const auto& [target, chain] : facts.keys) {
    const std::string file = facts.directory / ReferenceFileName(target.name, target.type);
    values[values["FIRST"].empty() ? "FIRST" : "SECOND"].push_back(file);
    values["REFERENCE"].push_back(file);
    if (const auto id = ParseHex(target.id_hex)) {
      values["URI"].push_back(
          credential::FormatReferenceUri({{id->begin(), id->end()}, ""}).value_or(""));
    }
  }
  return values;
}

std::string Fill(std::string_view text, const Values& values) {
  std::string filled = FillTemplate(text, values);
  if (!filled.empty()) filled.pop_back();
  return filled;
}

// Made is a file with the line in front that says who made it.
ConfigFile Made(const ConfigFacts& facts, const Values& values, std::string name,
                std::string_view where, std::string_view text) {
  const std::string head = std::string(kMadeHere) + facts.listener + " --for " +
                           std::string(facts.recipe->kind) + "; what is changed here is lost.\n";
  return {std::move(name), Fill(where, values), head + FillTemplate(text, values)};
}

Result<std::vector<ConfigFile>> References(const ConfigFacts& facts) {
  std::vector<ConfigFile> files;
  for (const auto& [target, chain] : facts.keys) {
    KB_ASSIGN(std::string text, FormatReference(target, facts.socket, facts.format, chain));
    const std::string name = ReferenceFileName(target.name, target.type);
    const std::string group(facts.recipe->reference_group);
    files.push_back({name,
                     "leave it here: the key's reference and its certificate chain" +
                         (group.empty() ? "" : " (mode 0640, group " + group + ")"),
                     std::move(text), group});
  }
  return files;
}

}  // namespace

Result<std::vector<ConfigFile>> MakeConfigFiles(const ConfigFacts& facts) {
  const Recipe& recipe = *facts.recipe;
  const bool provider = facts.format == ReferenceFormat::kProvider;
  KB_TRY(CheckPaths(facts));
  if (provider && recipe.library == Library::kGnuTls) {
    return Fail(Malformed(std::string(recipe.program) +
                          " takes the key by GnuTLS and p11-kit, not by OpenSSL: leave --provider "
                          "out"));
  }
  const Values values = MakeValues(facts);
  KB_ASSIGN(auto files, References(facts));
  if (recipe.library == Library::kGnuTls) {
    files.push_back(Made(facts, values, "keybroker.module",
                         "copy it to /etc/pkcs11/modules/keybroker.module", kP11KitModule));
  } else {
    files.push_back(Made(facts, values, "openssl.cnf",
                         "leave it here: OPENSSL_CONF, or the server's own setting, names it",
                         provider ? kProviderConfiguration : kEngineConfiguration));
  }
  if (!recipe.unit.empty()) {
    files.push_back(Made(facts, values, "systemd.conf",
                         "copy it to /etc/systemd/system/@UNIT@.d/keybroker.conf",
                         recipe.library == Library::kGnuTls ? kGnuTlsDropIn : kSystemdDropIn));
  }
  const bool differs = provider && !recipe.provider_snippet.empty();
  files.push_back(Made(facts, values, std::string(recipe.kind) + ".conf", recipe.where,
                       differs ? recipe.provider_snippet : recipe.snippet));
  return files;
}

}  // namespace keybroker::cli
