#include "cli/token_look.h"

#include <utility>

#include "cli/layout.h"
#include "cli/token_child.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_guard.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {
namespace {

struct PinState {
  std::string text;
  bool usable;
};

Result<std::string> Blocked(const config::Settings& settings, const token::TokenInfo& info,
                            token::PinOrigin origin) {
  KB_ASSIGN(const auto guard,
            token::PinGuard::Open(token::PinGuardDirectory(settings), info.serial, origin));
  return guard.Blocked(info.flags);
}

PinState StateOfPin(const config::Settings& settings, const token::TokenInfo& info) {
  if ((info.flags & CKF_USER_PIN_INITIALIZED) == 0) {
    return {"not set: initialise the token", false};
  }
  const auto blocked = Blocked(settings, info, token::PinOrigin::kStanding);
  if (!blocked) return {blocked.error().detail, false};
  if (!blocked->empty()) return {*blocked, false};
  const auto typed = Blocked(settings, info, token::PinOrigin::kTyped);
  if (typed && !typed->empty()) {
    return {*typed + ". The tokenhost's own login is not held up", true};
  }
  if ((info.flags & CKF_USER_PIN_COUNT_LOW) != 0) {
    return {"a wrong one was tried lately", true};
  }
  return {kPinOk, true};
}

}  // namespace

Result<Json> LookAtToken(const config::Settings& settings, const token::TokenConfig& config) {
  KB_TRY(MakeStateDirectories(settings));
  return RunAsTokenUser(settings, {}, [&](const std::vector<Secret>&) -> Result<Json> {
    KB_ASSIGN(auto module, token::Module::Load(config));
    KB_ASSIGN(const auto token, token::Token::Find(std::move(module), config));
    const auto& info = token.info();
    const PinState pin = StateOfPin(settings, info);
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
