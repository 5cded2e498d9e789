#include <memory>
#include <utility>

#include "cli/change.h"
#include "cli/layout.h"
#include "cli/pin_file.h"
#include "cli/token_child.h"
#include "cli/token_commands.h"
#include "keybroker/base/file.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"
#include "keybroker/token/module.h"
#include "keybroker/token/profile.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {
namespace {

struct AddOptions {
  std::string name;
  std::string module;
  std::string label;
  std::string serial;
  std::string profile;
  std::string init_args;
  std::string pin_file;
  std::string pin_credential;
  std::vector<std::string> environment;
  unsigned sessions = 0;
};

Result<token::TokenConfig> MakeConfig(const AddOptions& options) {
  KB_TRY(config::CheckName("token", options.name));
  token::TokenConfig config;
  config.name = options.name;
  config.module = std::filesystem::absolute(options.module);
  config.label = options.label;
  config.serial = options.serial;
  config.profile = options.profile;
  config.init_args = options.init_args;
  if (!options.pin_file.empty()) config.pin_file = std::filesystem::absolute(options.pin_file);
  config.pin_credential = options.pin_credential;
  if (options.sessions != 0) config.sessions = options.sessions;
  for (const std::string& entry : options.environment) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Fail(Malformed("\"" + entry + "\" is not an environment entry: write KEY=VALUE"));
    }
    config.environment[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return config;
}

// CheckModule loads the module where it will be loaded, and looks for the token; a missing token is
// no reason to refuse, since `token init` may be what comes next.
Result<Json> CheckModule(const config::Settings& settings, const token::TokenConfig& config) {
  return RunAsTokenUser(settings, config, {}, [&](const std::vector<Secret>&) -> Result<Json> {
    KB_ASSIGN(auto module, token::Module::Load(config));
    const auto found = token::Token::Find(std::move(module), config);
    return Json{{"found", found.has_value()},
                {"serial", found ? found->info().serial : ""},
                {"model", found ? found->info().model : ""},
                {"detail", found ? "" : found.error().detail}};
  });
}

Result<Answer> TokenAdd(const Invocation& invocation, const AddOptions& options) {
  KB_ASSIGN(const auto config, MakeConfig(options));
  KB_ASSIGN(const auto settings, invocation.Settings());
  const auto file = settings.TokenFile(config.name);
  const std::string text = token::FormatTokenConfig(config);
  KB_TRY(token::ParseTokenConfig(text, file.string()));
  KB_TRY(token::LoadProfile(settings.profiles_dir, config.profile));
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(const Json found, CheckModule(settings, config));
  KB_TRY(MakeDirectory(settings.tokens_dir, "", 0755));
  const Status written = WriteFileAtomically(file, text, 0644, Overwrite::kRefuse);
  if (!written && written.error().code == ErrorCode::kConflict) {
    return Fail(Conflict("the token \"" + config.name + "\" is configured already (" +
                         file.string() + "); it was left as it is"));
  }
  KB_TRY(written);
  Answer answer = MakeAnswer("wrote " + file.string(),
                             {{"name", config.name}, {"file", file.string()}, {"token", found}});
  if (GetBool(found, "found")) {
    answer.text += "\nfound the token \"" + config.label + "\" (" + GetText(found, "model") +
                   ", serial " + GetText(found, "serial") + ")";
  } else {
    answer.notes.push_back(GetText(found, "detail"));
    answer.notes.push_back("`keybroker token init " + config.name + "` initialises a new one");
  }
  if (const auto problem = ProblemWithPinFile(settings, config); !problem.empty()) {
    answer.notes.push_back("its PIN file: " + problem);
  }
  answer.notes.push_back("its tokenhost has to be started: systemctl start keybroker-tokenhost@" +
                         config.name + ", or SIGHUP to `keybroker run`");
  KB_TRY(change.Record({"token-add", "", "", config.name}, {}));
  return answer;
}

}  // namespace

void AddTokenAdd(const Command& noun) {
  auto options = std::make_shared<AddOptions>();
  const Command verb = noun.Verb(
      "add", "configure a token: its vendor's module and where its PIN is",
      "keybroker token add soft --module /usr/lib/softhsm/libsofthsm2.so --label keybroker "
      "--profile softhsm2 --pin-file /etc/keybroker/soft.pin");
  verb.Argument("NAME", options->name, "our name for it: a-z, 0-9 and -")
      .Required("--module", options->module, "the vendor's PKCS#11 module")
      .Required("--label", options->label, "the token's label")
      .Option("--serial", options->serial, "its serial number, when two have the same label")
      .Option("--profile", options->profile, "measured facts about its model (tokens/)")
      .Option("--pin-file", options->pin_file, "file with the PIN; only the token user reads it")
      .Option("--pin-credential", options->pin_credential, "systemd credential with the PIN")
      .Repeated("--env", options->environment,
                "KEY=VALUE, set before the module is loaded; may be repeated")
      .Option("--init-args", options->init_args, "C_Initialize's pReserved, as NSS needs it")
      .Option("--sessions", options->sessions, "most sessions that sign at once (default 4)");
  verb.Does([options](const Invocation& i) { return TokenAdd(i, *options); });
}

}  // namespace keybroker::cli
