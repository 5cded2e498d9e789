#include <unistd.h>

#include <memory>
#include <utility>

#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/layout.h"
#include "cli/pin.h"
#include "cli/pin_file.h"
#include "cli/token_access.h"
#include "cli/token_child.h"
#include "cli/token_commands.h"
#include "cli/token_login.h"
#include "keybroker/base/process.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_source.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {
namespace {

struct InitOptions {
  std::string name;
  PinOptions pin;
  PinOptions so_pin;
  bool overwrite = false;
  bool yes = false;
};

// ChooseSlot takes the slot of the token that bears the label, or else the first with an
// uninitialised token. A token that is in use is taken with overwrite only.
Result<CK_SLOT_ID> ChooseSlot(const token::Module& module, const token::TokenConfig& config,
                              bool overwrite) {
  KB_ASSIGN(const auto tokens, token::ListTokens(module));
  const token::TokenInfo* blank = nullptr;
  for (const auto& info : tokens) {
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) {
      if (blank == nullptr) blank = &info;
      continue;
    }
    if (info.label != config.label) continue;
    if (!config.serial.empty() && info.serial != config.serial) continue;
    if (overwrite) return info.slot;
    return Fail(Conflict("the token \"" + config.label + "\" (serial " + info.serial +
                         ") is initialised already; it was left as it is. --overwrite destroys "
                         "every key on it"));
  }
  if (blank != nullptr) return blank->slot;
  return Fail(NotFound("no slot of " + config.module.string() +
                       " has an uninitialised token, nor one with the label \"" + config.label +
                       "\": insert one, or see `keybroker token list`"));
}

Result<Json> InitInChild(const config::Settings& settings, const token::TokenConfig& config,
                         bool overwrite, const std::vector<Secret>& secrets) {
  const Secret& so_pin = secrets[0];
  Secret pin;
  if (secrets.size() > 1) {
    KB_ASSIGN(pin, secrets[1].Clone());
  } else {
    KB_ASSIGN(auto read, token::ReadPin(config));
    if (!read) return Fail(Denied("no PIN for the token \"" + config.name + "\""));
    pin = std::move(*read);
  }
  KB_ASSIGN(auto module, token::Module::Load(config));
  KB_ASSIGN(const CK_SLOT_ID slot, ChooseSlot(*module, config, overwrite));
  KB_TRY(token::InitToken(*module, slot, config.label, so_pin, pin, overwrite));
  // Proved, not believed: the token is found by its label and the PIN opens it.
  KB_ASSIGN(auto token, token::Token::Find(std::move(module), config));
  // The very PIN that was set, so it may count as the tokenhost's.
  constexpr auto kOrigin = token::PinOrigin::kStanding;
  KB_ASSIGN(auto guard, GuardOf(settings, token, config.name, kOrigin));
  KB_TRY(guard.Allow());
  KB_TRY(LogIn(settings, config, token, pin, kOrigin));
  return Json{{"label", token.info().label},
              {"serial", token.info().serial},
              {"model", token.info().model}};
}

// WithUser says for whom the vendor's module was refused something, which its CK_RV does not.
Error WithUser(Error error, const config::Settings& settings, const token::TokenConfig& config) {
  if (error.code != ErrorCode::kTokenFailed) return error;
  const auto self = FindUser(std::to_string(::geteuid()));
  const std::string user = self ? self->name : settings.token_user;
  error.detail += ". The vendor's module " + config.module.string() + " runs as the user \"" +
                  user +
                  "\", who must be able to read its settings and to write where it keeps the token "
                  "(for SoftHSM the folder directories.tokendir: chown -R " +
                  user + " FOLDER)";
  return error;
}

// NextStep is the command for its first key, with the token's name where there are several.
std::string NextStep(const config::Settings& settings, const token::TokenConfig& config) {
  const auto all = token::LoadTokenConfigs(settings);
  return "next: keybroker key generate NAME" +
         (all && all->size() > 1 ? " --token " + ShellQuote(config.name) : std::string());
}

Result<Answer> TokenInit(const Invocation& invocation, const InitOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto config, ChooseToken(settings, options.name, TokenWord::kArgument));
  if (options.overwrite) {
    KB_TRY(Confirm("This destroys every key on the token \"" + config.label + "\"", config.label,
                   options.yes));
  }
  const std::string file_problem = ProblemWithPinFile(settings, config);
  // Before anybody types an SO PIN for nothing.
  if (!options.pin.Given() && !file_problem.empty()) {
    return Fail(NotFound("the PIN to set is that of the token's pin_file, and " + file_problem +
                         ". Nothing was changed"));
  }
  const std::string who = " of the token \"" + config.name + "\"";
  KB_ASSIGN(const Secret so_pin, AskPin(options.so_pin, "new SO PIN" + who, true));
  Secret pin;
  std::vector<const Secret*> secrets{&so_pin};
  if (options.pin.Given() || config.pin_file.empty()) {
    KB_ASSIGN(pin, AskPin(options.pin, "new user PIN" + who, true));
    secrets.push_back(&pin);
  }
  KB_ASSIGN(Change change, Change::Begin(settings));
  const ChangeRecord record{"token-init", "", "", config.name};
  size_t unproved = 0;
  if (options.overwrite) {
    KB_ASSIGN(unproved, ForgetProofs(settings));
  }
  KB_ASSIGN(const Json made, Recorded(change, record, [&] {
              return RunAsTokenUser(
                  settings, config, secrets,
                  [&](const std::vector<Secret>& received) {
                    auto done = InitInChild(settings, config, options.overwrite, received);
                    if (!done) done = Fail(WithUser(std::move(done).error(), settings, config));
                    return done;
                  },
                  // A library that runs goes on with the token that it found at its start.
                  Borrow::kAlways);
            }));
  Answer answer = MakeAnswer("initialised the token \"" + GetText(made, "label") + "\" (" +
                                 GetText(made, "model") + ", serial " + GetText(made, "serial") +
                                 "); its PIN works\n" + NextStep(settings, config),
                             {{"name", config.name}, {"token", made}});
  if (!file_problem.empty()) {
    answer.notes.push_back("its tokenhost will not find this PIN: " + file_problem);
  }
  if (unproved != 0) {
    answer.notes.push_back(
        "what drills proved of external backups counts no longer, since they may have been on this "
        "token: `keybroker backup check` says which to drill again");
  }
  KB_TRY(change.Done(record, answer));
  return answer;
}

}  // namespace

void AddTokenInit(const Command& noun) {
  auto options = std::make_shared<InitOptions>();
  const Command verb = noun.Verb("init", "initialise a token and set its PINs",
                                 "keybroker token init soft --so-pin-file so.pin");
  verb.OptionalArgument("NAME", options->name, "the token's name here; the only one when left out")
      .Flag("--overwrite", options->overwrite, "although it is in use: destroys every key on it")
      .Flag("--yes", options->yes, "do not ask to type the label");
  AddPinOptions(verb, options->so_pin, "so-");
  AddPinOptions(verb, options->pin);
  verb.Does([options](const Invocation& i) { return TokenInit(i, *options); });
}

}  // namespace keybroker::cli
