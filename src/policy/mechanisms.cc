#include <algorithm>

#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/policy/listener.h"

namespace keybroker::policy {
namespace {

constexpr std::string_view kTlsServer = "tls-server";
constexpr std::string_view kTlsHandshake = "tls-handshake";

// Why a name that the standard has is still refused; empty for all others.
std::string_view RefusedFor(std::string_view name) {
  if (name == "CKM_RSA_X_509" || name == "RSA_X_509") {
    return " is never permitted: raw RSA signs, and so decrypts, whatever the caller makes up";
  }
  return {};
}

Error UnknownName(const std::string& name) {
  if (const auto why = RefusedFor(name); !why.empty()) return Malformed(name + std::string(why));
  std::string legal = "\"" + std::string(kTlsServer) + "\", \"" + std::string(kTlsHandshake) + "\"";
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    legal += std::string(", \"") + mechanism.name + "\"";
  }
  return Malformed("\"" + name + "\" is not a mechanism of a binding; the legal ones are " + legal);
}

// A digest tells nothing of the message that it is of, so the set has only what hashes itself.
std::vector<CK_MECHANISM_TYPE> HashAndSign() {
  std::vector<CK_MECHANISM_TYPE> all;
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    if (mechanism.hashes) all.push_back(mechanism.type);
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

bool DemandsTlsHandshake(const Binding& binding) {
  return binding.mechanisms.size() == 1 && binding.mechanisms.front() == kTlsHandshake;
}

Result<std::vector<CK_MECHANISM_TYPE>> ExpandMechanisms(const std::vector<std::string>& names) {
  if (names.size() == 1 && names.front() == kTlsHandshake) return HashAndSign();
  std::vector<CK_MECHANISM_TYPE> permitted;
  for (const std::string& name : names) {
    if (name == kTlsHandshake) {
      return Fail(Malformed("\"" + name +
                            "\" stands alone: with another name beside it, it would "
                            "demand nothing"));
    }
    if (name == kTlsServer) {
      for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
        permitted.push_back(mechanism.type);
      }
    } else if (const auto* mechanism = cryptoki::FindSignMechanism(std::string_view(name))) {
      permitted.push_back(mechanism->type);
    } else {
      return Fail(UnknownName(name));
    }
  }
  std::sort(permitted.begin(), permitted.end());
  permitted.erase(std::unique(permitted.begin(), permitted.end()), permitted.end());
  return permitted;
}

}  // namespace keybroker::policy
