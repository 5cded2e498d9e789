#include <algorithm>

#include "keybroker/base/shell_quote.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/policy/decision.h"

namespace keybroker::policy {

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kGranted:
      return "granted";
    case Reason::kUserNotAllowed:
      return "user-not-allowed";
    case Reason::kKeyNotBound:
      return "key-not-bound";
    case Reason::kMechanismNotBound:
      return "mechanism-not-bound";
    case Reason::kMechanismUnknown:
      return "mechanism-unknown";
    case Reason::kMechanismWrongKeyType:
      return "mechanism-wrong-key-type";
    case Reason::kParametersWrong:
      return "parameters-wrong";
    case Reason::kDataWrong:
      return "data-wrong";
    case Reason::kNotTlsHandshake:
      return "not-tls-handshake";
  }
  return "unknown";
}

// What PKCS#11 v2.40 section 5.11 lets C_Sign return. A key that is not bound looks like one that
// is not there, so that a listener cannot learn which keys exist. CKR_USER_NOT_LOGGED_IN is
// avoided: callers would ask for a PIN.
CK_RV ReasonRv(Reason reason) {
  switch (reason) {
    case Reason::kGranted:
      return CKR_OK;
    case Reason::kUserNotAllowed:
      return CKR_FUNCTION_REJECTED;
    case Reason::kKeyNotBound:
      return CKR_KEY_HANDLE_INVALID;
    case Reason::kMechanismNotBound:
    case Reason::kMechanismUnknown:
      return CKR_MECHANISM_INVALID;
    case Reason::kMechanismWrongKeyType:
      return CKR_KEY_TYPE_INCONSISTENT;
    case Reason::kParametersWrong:
      return CKR_MECHANISM_PARAM_INVALID;
    case Reason::kDataWrong:
    case Reason::kNotTlsHandshake:
      return CKR_DATA_INVALID;
  }
  return CKR_GENERAL_ERROR;
}

namespace {

// OtherTypes: a binding that names the key, but of a type that no token holds.
std::string OtherTypes(const Listener& listener, std::string_view key_name) {
  std::string types;
  for (const Binding& binding : listener.bindings) {
    if (binding.key != key_name || !binding.type) continue;
    types += (types.empty() ? "" : " and ") + std::string(cryptoki::KeyTypeName(*binding.type));
  }
  return types.empty() ? ""
                       : " (it is bound to the " + types + " key of that name, which is not there)";
}

// OfTheOtherType: the mechanism is one of the other key type, which the listener may be bound to
// too.
std::string OfTheOtherType(const Listener& listener, std::string_view key_name,
                           CK_MECHANISM_TYPE mechanism) {
  const std::string name = cryptoki::MechanismName(mechanism);
  const auto* needed = cryptoki::FindSignMechanism(mechanism);
  const bool bound =
      std::any_of(listener.bindings.begin(), listener.bindings.end(), [&](const Binding& binding) {
        return binding.key == key_name &&
               (needed == nullptr || !binding.type || *binding.type == needed->key_type);
      });
  if (needed == nullptr) {
    return name + " does not go with the type of the key \"" + std::string(key_name) + "\"";
  }
  const std::string type(cryptoki::KeyTypeName(needed->key_type));
  if (bound) {
    return name + " needs the " + type + " key of the name \"" + std::string(key_name) +
           "\", and no token that was asked holds one: " + HowToMake(key_name, needed->key_type);
  }
  return name + " needs the " + type + " key, and listener \"" + listener.name +
         "\" is not bound to the " + type + " key of the name \"" + std::string(key_name) +
         "\": keybroker listener bind " + listener.name + " " + ShellQuote(key_name) + " --type " +
         type;
}

}  // namespace

std::string HowToMake(std::string_view key_name, std::optional<cryptoki::KeyType> type) {
  return "`keybroker key generate " + ShellQuote(key_name) +
         (type ? " --type " + std::string(cryptoki::KeyTypeName(*type)) : std::string()) +
         "` makes one";
}

std::string ExplainNoKey(const Listener& listener, std::string_view key_name) {
  const std::string key(key_name);
  const bool bound = std::any_of(listener.bindings.begin(), listener.bindings.end(),
                                 [&](const Binding& binding) { return binding.key == key; });
  return "there is no key \"" + key + "\": `keybroker key list` shows those there are, " +
         HowToMake(key) +
         (bound ? "; the binding of listener \"" + listener.name + "\" waits for it"
                : "; then let the listener use it: keybroker listener bind " + listener.name + " " +
                      ShellQuote(key));
}

std::string Explain(Reason reason, const Listener& listener, std::string_view key_name,
                    CK_MECHANISM_TYPE mechanism) {
  const std::string who = "listener \"" + listener.name + "\"";
  const std::string key = "\"" + std::string(key_name) + "\"";
  const std::string name = cryptoki::MechanismName(mechanism);
  switch (reason) {
    case Reason::kGranted:
      return who + " may sign with " + key + " by " + name + ": a binding permits it";
    case Reason::kUserNotAllowed:
      return "the process's user is not among the users of " + who +
             "; add it to users in the listener's file if it should be";
    case Reason::kKeyNotBound:
      return who + " has no binding for a key " + key + " that a token holds" +
             OtherTypes(listener, key_name) + ": keybroker listener bind " + listener.name + " " +
             ShellQuote(key_name);
    case Reason::kMechanismNotBound:
      return who + " has a binding for " + key + ", but " + name +
             " is not among its mechanisms; add it, or \"tls-server\", to the binding";
    case Reason::kMechanismUnknown:
      return name + " is not a mechanism that any binding can permit: TLS servers need RSA-PSS, " +
             "RSA PKCS#1 v1.5 and ECDSA signatures only";
    case Reason::kMechanismWrongKeyType:
      return OfTheOtherType(listener, key_name, mechanism);
    case Reason::kParametersWrong:
      return "the PSS parameters of " + name +
             " must be there for PSS only, with hash and MGF of one digest (SHA-256, SHA-384 or " +
             "SHA-512) and a salt of its length, and fit the key";
    case Reason::kDataWrong:
      return "the data for " + name +
             " must be a SHA-256, SHA-384 or SHA-512 digest, for CKM_RSA_PKCS inside its " +
             "DigestInfo";
    case Reason::kNotTlsHandshake:
      return "the binding of " + who + " for " + key +
             " is of \"tls-handshake\", and what was to be signed by " + name +
             " is no message of a TLS server's handshake; a client that needs other signatures " +
             "needs a binding of \"tls-server\"";
  }
  return std::string(ReasonName(reason));
}

}  // namespace keybroker::policy
