#include <algorithm>

#include "keybroker/cryptoki/mechanism.h"
#include "policy/listener_check.h"

namespace keybroker::policy {
namespace {

// FitsType is false when a mechanism was named one by one that no key of the binding's type has;
// a set such as "tls-server" may hold both types.
bool FitsType(const std::string& name, cryptoki::KeyType type) {
  const auto* mechanism = cryptoki::FindSignMechanism(std::string_view(name));
  return mechanism == nullptr || mechanism->key_type == type;
}

void ReadMechanisms(const config::TomlSection& section, Binding* binding) {
  constexpr std::string_view kKey = "mechanisms";
  binding->mechanisms = section.Strings(kKey);
  if (binding->mechanisms.empty()) {
    section.Complain(kKey, "must name at least one mechanism or set, such as [\"tls-server\"]");
    return;
  }
  auto permitted = ExpandMechanisms(binding->mechanisms);
  if (!permitted) {
    section.Complain(kKey, permitted.error().detail);
    return;
  }
  binding->permitted = std::move(*permitted);
  if (!binding->type) return;
  for (const std::string& name : binding->mechanisms) {
    if (FitsType(name, *binding->type)) continue;
    section.Complain(kKey, name + " does not go with type = \"" +
                               std::string(cryptoki::KeyTypeName(*binding->type)) + "\"");
  }
}

}  // namespace

Binding ReadBinding(const config::TomlSection& section) {
  Binding binding;
  binding.key = section.RequiredString("key");
  if (!binding.key.empty()) {
    if (const Status checked = CheckKeyName(binding.key); !checked) {
      section.Complain("key", checked.error().detail);
    }
  }
  if (section.Has("type")) {
    binding.type = cryptoki::ParseKeyType(section.Choice("type", "", {"rsa", "ec"}));
  }
  ReadMechanisms(section, &binding);
  return binding;
}

}  // namespace keybroker::policy
