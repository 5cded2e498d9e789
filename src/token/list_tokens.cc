#include "token/token_info.h"

namespace keybroker::token {
namespace {

// Unpadded takes the blanks (and a stray NUL) off a fixed-width field (PKCS#11 v2.40 section 3.1).
std::string Unpadded(const CK_UTF8CHAR* field, size_t width) {
  std::string text(reinterpret_cast<const char*>(field), width);
  text.resize(text.find('\0') == std::string::npos ? text.size() : text.find('\0'));
  const size_t last = text.find_last_not_of(' ');
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

}  // namespace

Result<TokenInfo> ReadTokenInfo(const Module& module, CK_SLOT_ID slot) {
  CK_TOKEN_INFO raw{};
  KB_TRY(CheckRv("C_GetTokenInfo", module.api().C_GetTokenInfo(slot, &raw)));
  TokenInfo info;
  info.slot = slot;
  info.label = Unpadded(raw.label, sizeof raw.label);
  info.manufacturer = Unpadded(raw.manufacturerID, sizeof raw.manufacturerID);
  info.model = Unpadded(raw.model, sizeof raw.model);
  info.serial = Unpadded(raw.serialNumber, sizeof raw.serialNumber);
  info.flags = raw.flags;
  info.min_pin = static_cast<unsigned>(raw.ulMinPinLen);
  info.max_pin = static_cast<unsigned>(raw.ulMaxPinLen);
  info.firmware =
      std::to_string(raw.firmwareVersion.major) + "." + std::to_string(raw.firmwareVersion.minor);
  return info;
}

Status CheckPinLength(std::string_view name, const Secret& pin, const TokenInfo& info) {
  // Some tokens leave the fields empty.
  const bool bounded = info.max_pin >= info.min_pin && info.max_pin != 0;
  if (!bounded || (pin.size() >= info.min_pin && pin.size() <= info.max_pin)) return {};
  return Fail(Malformed("the " + std::string(name) + " must have " + std::to_string(info.min_pin) +
                            " to " + std::to_string(info.max_pin) + " characters on this token",
                        CKR_PIN_LEN_RANGE));
}

Result<std::vector<TokenInfo>> ListTokens(const Module& module) {
  KB_ASSIGN(const auto slots, module.Slots(true));
  std::vector<TokenInfo> tokens;
  for (const CK_SLOT_ID slot : slots) {
    auto info = ReadTokenInfo(module, slot);
    // A token pulled out between the two calls is not there.
    if (info) tokens.push_back(std::move(*info));
  }
  return tokens;
}

}  // namespace keybroker::token
