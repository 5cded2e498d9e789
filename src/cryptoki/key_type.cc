#include "keybroker/cryptoki/key_type.h"

namespace keybroker::cryptoki {

std::string_view KeyTypeName(KeyType type) { return type == KeyType::kRsa ? "rsa" : "ec"; }

std::optional<KeyType> ParseKeyType(std::string_view name) {
  if (name == "rsa") return KeyType::kRsa;
  if (name == "ec") return KeyType::kEc;
  return std::nullopt;
}

CK_KEY_TYPE CkKeyType(KeyType type) { return type == KeyType::kRsa ? CKK_RSA : CKK_EC; }

std::optional<KeyType> FromCkKeyType(CK_KEY_TYPE type) {
  if (type == CKK_RSA) return KeyType::kRsa;
  if (type == CKK_EC) return KeyType::kEc;
  return std::nullopt;
}

}  // namespace keybroker::cryptoki
