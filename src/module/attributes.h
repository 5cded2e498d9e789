#pragma once

#include <array>

#include "module/catalogue.h"

namespace keybroker::module {

// AttributeValue is one attribute of an object as Cryptoki shows it.
struct AttributeValue {
  enum class Presence : uint8_t { kAbsent, kSensitive, kPresent };

  Presence presence = Presence::kAbsent;
  wire::Bytes bytes;  // points into the object, or into scratch
  std::array<CK_ULONG, wire::kMaxMechanisms> scratch;
};

// ReadAttribute gives an attribute of an object (PKCS#11 v2.40 sections 4.4 to 4.9): absent when
// its class has none such, sensitive for what would be the key itself.
void ReadAttribute(const Object& object, CK_ATTRIBUTE_TYPE type, AttributeValue* value);

// Matches is whether the object has every attribute of the template, byte for byte.
bool Matches(const Object& object, std::span<const CK_ATTRIBUTE> wanted);

// CopyAttributes answers C_GetAttributeValue (section 5.7): every attribute of the template is
// dealt with, whatever was wrong with another. Of several errors the first of
// CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL is told.
CK_RV CopyAttributes(const Object& object, std::span<CK_ATTRIBUTE> wanted);

}  // namespace keybroker::module
