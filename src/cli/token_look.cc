#include "cli/token_look.h"

#include <optional>
#include <utility>

#include "cli/layout.h"
#include "cli/token_child.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_guard.h"
#include "keybroker/token/profile.h"
#include "keybroker/token/token.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

struct PinState {
  std::string text;
  bool usable;
};

Result<std::string> Blocked(const config::Settings& settings, const std::string& name,
                            const token::TokenInfo& info, token::PinOrigin origin) {
  KB_ASSIGN(const auto guard,
            token::PinGuard::Open(token::PinGuardDirectory(settings), info.serial, name, origin));
  return guard.Blocked(info.flags);
}

// OnlyTyped is what is said where typed PINs are not tried, while the configured one still is.
PinState OnlyTyped(const std::string& why) {
  return {why + ". The tokenhost's own login is not held up", true};
}

PinState StateOfPin(const config::Settings& settings, const std::string& name,
                    const token::TokenInfo& info) {
  if ((info.flags & CKF_USER_PIN_INITIALIZED) == 0) {
    return {"not set: initialise the token", false};
  }
  const auto blocked = Blocked(settings, name, info, token::PinOrigin::kStanding);
  if (!blocked) return {blocked.error().detail, false};
  if (!blocked->empty()) return {*blocked, false};
  const auto typed = Blocked(settings, name, info, token::PinOrigin::kTyped);
  if (typed && !typed->empty()) return OnlyTyped(*typed);
  if ((info.flags & CKF_USER_PIN_COUNT_LOW) != 0) {
    return {"a wrong one was tried lately", true};
  }
  return {kPinOk, true};
}

// SeenByTokenhost describes a token that admits one process as its tokenhost sees it: a look must
// not take it away from the listeners. Nothing when the tokenhost has no use of it either.
std::optional<Json> SeenByTokenhost(const config::Settings& settings,
                                    const token::TokenConfig& config) {
  const auto profile = token::LoadProfile(settings.profiles_dir, config.profile);
  if (!profile || profile->several_processes) return std::nullopt;
  const auto report = tokenhost::AskTokenStatus(settings, config.name);
  if (!report || report->state != wire::TokenState::kReady) return std::nullopt;
  token::TokenInfo info;
  info.serial = report->serial;
  const auto typed = Blocked(settings, config.name, info, token::PinOrigin::kTyped);
  const PinState pin = typed && !typed->empty() ? OnlyTyped(*typed) : PinState{kPinOk, true};
  return Json{{"label", report->label},
              {"serial", report->serial},
              {"model", report->model},
              {"pin", pin.text},
              {"pin_usable", pin.usable}};
}

}  // namespace

Result<Json> LookAtToken(const config::Settings& settings, const token::TokenConfig& config) {
  KB_TRY(MakeStateDirectories(settings));
  if (const auto seen = SeenByTokenhost(settings, config)) return *seen;
  return RunAsTokenUser(settings, config, {}, [&](const std::vector<Secret>&) -> Result<Json> {
    KB_ASSIGN(auto module, token::Module::Load(config));
    KB_ASSIGN(const auto token, token::Token::Find(std::move(module), config));
    const auto& info = token.info();
    const PinState pin = StateOfPin(settings, config.name, info);
    return Json{{"label", info.label},
                {"serial", info.serial},
                {"model", info.model},
                {"manufacturer", info.manufacturer},
                {"firmware", info.firmware},
                {"slot", info.slot},
                {"write_protected", (info.flags & CKF_WRITE_PROTECTED) != 0},
                {"pin", pin.text},
                {"pin_usable", pin.usable}};
  });
}

}  // namespace keybroker::cli
