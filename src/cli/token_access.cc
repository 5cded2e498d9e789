#include "cli/token_access.h"

#include <optional>
#include <utility>
#include <vector>

#include "cli/layout.h"
#include "cli/token_child.h"
#include "cli/token_login.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_source.h"

namespace keybroker::cli {
namespace {

// NeedsPrompt: a systemd credential is there for the unit only, not for an operator's command.
bool NeedsPrompt(const token::TokenConfig& config) { return config.pin_file.empty(); }

Result<Secret> PinInChild(const token::TokenConfig& config) {
  KB_ASSIGN(auto pin, token::ReadPin(config));
  if (!pin) return Fail(Denied("no PIN for the token \"" + config.name + "\""));
  return std::move(*pin);
}

// Received is what a child was sent: the PIN when one was typed, then the work's own secrets.
struct Received {
  const Secret* typed_pin;  // nullptr: the token's configured source has it
  std::span<const Secret> secrets;
  const Ask& ask;
};

Result<Json> InChild(const config::Settings& settings, const token::TokenConfig& config,
                     bool read_write, const Received& received, const LoggedInWork& work) {
  KB_ASSIGN(const Secret pin,
            received.typed_pin != nullptr ? received.typed_pin->Clone() : PinInChild(config));
  KB_ASSIGN(auto profile, token::LoadProfile(settings.profiles_dir, config.profile));
  KB_ASSIGN(auto module, token::Module::Load(config));
  KB_ASSIGN(auto token, token::Token::Find(std::move(module), config));
  const auto origin =
      received.typed_pin == nullptr ? token::PinOrigin::kStanding : token::PinOrigin::kTyped;
  KB_TRY(LogIn(settings, config, token, pin, origin));
  KB_ASSIGN(auto session, token.OpenSession(read_write));
  LoggedIn logged_in{std::move(token), std::move(session), std::move(profile), config, &pin,
                     received.secrets, received.ask};
  return work(logged_in);
}

}  // namespace

std::string_view TokenOption(TokenWord word) {
  return word == TokenWord::kFrom ? "--from" : "--token";
}

void AddTokenOptions(const Command& command, TokenOptions& options) {
  command.Option("--token", options.token, "the token, when several are configured");
  AddPinOptions(command, options.pin);
}

Result<token::TokenConfig> ChooseToken(const config::Settings& settings, const std::string& name,
                                       TokenWord word) {
  if (!name.empty()) return token::LoadTokenConfig(settings, name);
  KB_ASSIGN(auto all, token::LoadTokenConfigs(settings));
  if (all.empty()) {
    return Fail(NotFound("no token is configured in " + settings.tokens_dir.string() +
                         ": add one with `keybroker token add NAME --module FILE --label LABEL`"));
  }
  if (all.size() == 1) return std::move(all.front());
  std::string names;
  for (const auto& one : all) names += (names.empty() ? "" : ", ") + one.name;
  return Fail(WrongUsage("several tokens are configured (" + names + "): " +
                         (word == TokenWord::kArgument
                              ? std::string("name one after the command")
                              : "say which with " + std::string(TokenOption(word)))));
}

Result<TokenAccess> TokenAccess::Prepare(const config::Settings& settings,
                                         const TokenOptions& options) {
  KB_ASSIGN(auto config, ChooseToken(settings, options.token, options.word));
  TokenAccess access(settings, std::move(config));
  if (options.pin.Given() || NeedsPrompt(access.config_)) {
    KB_ASSIGN(access.pin_,
              AskPin(options.pin, "PIN of the token \"" + access.config_.name + "\"", false));
  }
  return access;
}

Result<Json> TokenAccess::Run(bool read_write, const std::vector<const Secret*>& secrets,
                              const LoggedInWork& work) const {
  return Run(read_write, secrets, work, NoQuestions);
}

Result<Json> TokenAccess::Run(bool read_write, const std::vector<const Secret*>& secrets,
                              const LoggedInWork& work, const Answerer& answer) const {
  KB_TRY(MakeStateDirectories(settings_));
  std::vector<const Secret*> sent;
  if (pin_) sent.push_back(&*pin_);
  sent.insert(sent.end(), secrets.begin(), secrets.end());
  const AskingWork in_child = [&](const std::vector<Secret>& received, const Ask& ask) {
    const std::span<const Secret> all(received);
    return InChild(settings_, config_, read_write,
                   {pin_ ? &all.front() : nullptr, all.subspan(pin_ ? 1 : 0), ask}, work);
  };
  return RunAsTokenUser(settings_, config_, sent, in_child, answer);
}

}  // namespace keybroker::cli
