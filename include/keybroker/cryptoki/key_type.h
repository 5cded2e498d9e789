#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::cryptoki {

// KeyType is the kind of key pair keybroker serves. Its values travel on the wire.
enum class KeyType : uint8_t { kRsa = 1, kEc = 2 };

// KeyTypeName is "rsa" or "ec"; ParseKeyType reads it back.
std::string_view KeyTypeName(KeyType type);
std::optional<KeyType> ParseKeyType(std::string_view name);

// CkKeyType and FromCkKeyType convert to and from CKK_RSA and CKK_EC; other CKK_* give nothing.
CK_KEY_TYPE CkKeyType(KeyType type);
std::optional<KeyType> FromCkKeyType(CK_KEY_TYPE type);

// EcdsaSignatureSize is the length in bytes of a CKM_ECDSA signature (r || s, PKCS#11 v2.40
// section 2.3.1) for a curve of bits; RsaSignatureSize that of an RSA signature.
constexpr size_t EcdsaSignatureSize(uint32_t bits) { return 2 * ((size_t{bits} + 7) / 8); }
constexpr size_t RsaSignatureSize(uint32_t bits) { return (size_t{bits} + 7) / 8; }
constexpr size_t SignatureSize(KeyType type, uint32_t bits) {
  return type == KeyType::kRsa ? RsaSignatureSize(bits) : EcdsaSignatureSize(bits);
}

}  // namespace keybroker::cryptoki
