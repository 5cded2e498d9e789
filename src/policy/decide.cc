#include <algorithm>

#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/policy/decision.h"
#include "keybroker/policy/tls_handshake.h"

namespace keybroker::policy {
namespace {

bool Names(const Binding& binding, const KeyFacts& key) {
  return binding.key == key.name && (!binding.type || *binding.type == key.type);
}

bool Permits(const Binding& binding, CK_MECHANISM_TYPE mechanism) {
  return std::binary_search(binding.permitted.begin(), binding.permitted.end(), mechanism);
}

// MayBeAnyMessage is false when every binding that permits the mechanism demands a TLS handshake.
bool MayBeAnyMessage(const Listener& listener, const KeyFacts& key, CK_MECHANISM_TYPE mechanism) {
  return std::any_of(listener.bindings.begin(), listener.bindings.end(), [&](const Binding& b) {
    return Names(b, key) && Permits(b, mechanism) && !DemandsTlsHandshake(b);
  });
}

}  // namespace

std::vector<CK_MECHANISM_TYPE> PermittedMechanisms(const Listener& listener, const KeyFacts& key) {
  std::vector<CK_MECHANISM_TYPE> permitted;
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    if (DecideMechanism(listener, &key, mechanism.type) == Reason::kGranted) {
      permitted.push_back(mechanism.type);
    }
  }
  std::sort(permitted.begin(), permitted.end());
  return permitted;
}

Reason DecideMechanism(const Listener& listener, const KeyFacts* key, CK_MECHANISM_TYPE mechanism) {
  const auto* known = cryptoki::FindSignMechanism(mechanism);
  if (known == nullptr) return Reason::kMechanismUnknown;
  if (key == nullptr) return Reason::kKeyNotBound;
  bool bound = false;
  bool permitted = false;
  for (const Binding& binding : listener.bindings) {
    if (!Names(binding, *key)) continue;
    bound = true;
    permitted = permitted || Permits(binding, mechanism);
  }
  // Before the type is looked at: what is not bound must not be told from what is not there.
  if (!bound) return Reason::kKeyNotBound;
  if (known->key_type != key->type) return Reason::kMechanismWrongKeyType;
  return permitted ? Reason::kGranted : Reason::kMechanismNotBound;
}

Reason DecideRequest(const Listener& listener, const KeyFacts* key, const SignFacts& request) {
  const Reason mechanism = DecideMechanism(listener, key, request.mechanism);
  if (mechanism != Reason::kGranted) return mechanism;
  const Reason shape = CheckShape(*key, request);
  if (shape != Reason::kGranted) return shape;
  const bool fits =
      MayBeAnyMessage(listener, *key, request.mechanism) || IsTlsHandshakeMessage(request.data);
  return fits ? Reason::kGranted : Reason::kNotTlsHandshake;
}

}  // namespace keybroker::policy
