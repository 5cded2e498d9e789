#include <memory>
#include <utility>

#include "cli/change.h"
#include "cli/token_access.h"
#include "cli/token_child.h"
#include "cli/token_commands.h"
#include "cli/token_login.h"
#include "keybroker/token/module.h"
#include "keybroker/token/token.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

struct UnlockOptions {
  std::string name;
  PinOptions pin;
  bool again = false;
};

// AllowInChild lifts the guard where no tokenhost runs: the next login may try once.
Result<Json> AllowInChild(const config::Settings& settings, const token::TokenConfig& config) {
  return RunAsTokenUser(settings, config, {}, [&](const std::vector<Secret>&) -> Result<Json> {
    KB_ASSIGN(auto module, token::Module::Load(config));
    KB_ASSIGN(const auto token, token::Token::Find(std::move(module), config));
    KB_ASSIGN(auto guard, GuardOf(settings, token, config.name, token::PinOrigin::kStanding));
    KB_TRY(guard.Allow());
    return Json{{"allowed", true}};
  });
}

Result<Answer> Allow(const config::Settings& settings, const token::TokenConfig& config,
                     Change& change) {
  const ChangeRecord record{"token-unlock", "", "", config.name};
  KB_TRY(Recorded(change, record, [&] { return AllowInChild(settings, config); }));
  KB_TRY(change.Record(record, {}));
  Answer answer = MakeAnswer("one further login to the token \"" + config.name + "\" is allowed",
                             {{"name", config.name}, {"state", "allowed"}});
  answer.notes.push_back(
      "its tokenhost does not run; the next login, by it or by a command, will "
      "try the PIN");
  return answer;
}

bool HasPinSource(const token::TokenConfig& config) {
  return !config.pin_file.empty() || !config.pin_credential.empty();
}

// Unlocked is the answer for a token that is ready now; was_ready: and was so before, when a
// tokenhost that is logged in has nothing to try a PIN on.
Answer Unlocked(const token::TokenConfig& config, const tokenhost::TokenReport& report,
                bool was_ready) {
  const std::string token = "the token \"" + config.name + "\" is ";
  const std::string keys = ", with " + std::to_string(report.keys) + " keys";
  Answer answer = MakeAnswer(token + "ready" + keys, {{"name", config.name},
                                                      {"state", wire::TokenStateName(report.state)},
                                                      {"keys", report.keys},
                                                      {"pin_tried", !was_ready}});
  if (was_ready) {
    answer.text = token + "logged in already" + keys + ": no PIN was tried" +
                  (HasPinSource(config) ? ", right or wrong"
                                        : ". The one given, right or wrong, is for the tokenhost's "
                                          "next login") +
                  "; a command whose PIN was refused may try one again";
  }
  if (!report.detail.empty()) answer.notes.push_back(report.detail);
  return answer;
}

Result<Answer> TokenUnlock(const Invocation& invocation, const UnlockOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto config, ChooseToken(settings, options.name, TokenWord::kArgument));
  if (options.again && options.pin.Given()) {
    return Fail(WrongUsage("--again tries the configured PIN: it excludes a PIN given here"));
  }
  const auto before = tokenhost::AskTokenStatus(settings, config.name);
  const bool runs = before || before.error().code != ErrorCode::kUnavailable;
  const bool was_ready = before && before->state == wire::TokenState::kReady;
  // Nobody is asked for what will not be tried.
  const bool needless = was_ready && HasPinSource(config) && !options.pin.Given();
  Secret pin;
  if (runs && !options.again && !needless) {
    const std::string hint =
        HasPinSource(config) ? " (--again tries the configured one instead)" : "";
    KB_ASSIGN(pin, AskPin(options.pin, "PIN of the token \"" + config.name + "\"" + hint, false));
  }
  KB_ASSIGN(Change change, Change::Begin(settings));
  if (!runs) return Allow(settings, config, change);
  const ChangeRecord record{"token-unlock", "", "", config.name};
  KB_ASSIGN(const auto report, Recorded(change, record, [&] {
              return tokenhost::UnlockToken(settings, config.name, std::move(pin));
            }));
  const std::string state(wire::TokenStateName(report.state));
  if (report.state != wire::TokenState::kReady) {
    const Error failed =
        Denied("the token \"" + config.name + "\" is still " + state + ": " + report.detail);
    KB_TRY(change.Record(record, Fail(failed)));
    return Fail(failed);
  }
  Answer answer = Unlocked(config, report, was_ready);
  KB_TRY(change.Done(record, answer));
  return answer;
}

}  // namespace

void AddTokenUnlock(const Command& noun) {
  auto options = std::make_shared<UnlockOptions>();
  const Command verb =
      noun.Verb("unlock", "give a tokenhost its PIN, or let it try again after a wrong one",
                "keybroker token unlock soft");
  verb.OptionalArgument("NAME", options->name, "the token's name here; the only one when left out")
      .Flag("--again", options->again,
            "try the configured PIN once more instead of asking for one");
  AddPinOptions(verb, options->pin);
  verb.Does([options](const Invocation& i) { return TokenUnlock(i, *options); });
}

}  // namespace keybroker::cli
