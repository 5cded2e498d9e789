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

PinState StateOfPin(const config::Settings& settings, const token::TokenInfo& info) {
  if ((info.flags & CKF_USER_PIN_INITIALIZED) == 0) {
    return {"not set: initialise the token", false};
  }
  const auto guard = token::PinGuard::Open(token::PinGuardDirectory(settings), info.serial);
  if (!guard) return {guard.error().detail, false};
  const auto blocked = guard->Blocked(info.flags);
  if (!blocked) return {blocked.error().detail, false};
  if (!blocked->empty()) return {*blocked, false};
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
