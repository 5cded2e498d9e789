#include "module/attributes.h"

#include <string.h>

namespace keybroker::module {
namespace {

using cryptoki::KeyType;
using Presence = AttributeValue::Presence;

constexpr CK_BBOOL kYes = CK_TRUE;
constexpr CK_BBOOL kNo = CK_FALSE;

void Give(AttributeValue* value, wire::Bytes bytes) {
  value->presence = Presence::kPresent;
  value->bytes = bytes;
}
void GiveBool(AttributeValue* value, bool yes) { Give(value, {yes ? &kYes : &kNo, 1}); }
void GiveNothing(AttributeValue* value) { Give(value, {}); }

void GiveNumbers(AttributeValue* value, size_t count) {
  Give(value, {reinterpret_cast<const uint8_t*>(value->scratch.data()), count * sizeof(CK_ULONG)});
}
void GiveNumber(AttributeValue* value, CK_ULONG number) {
  value->scratch[0] = number;
  GiveNumbers(value, 1);
}

CK_OBJECT_CLASS ClassOf(ObjectKind kind) {
  if (kind == ObjectKind::kCertificate) return CKO_CERTIFICATE;
  return kind == ObjectKind::kPrivateKey ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY;
}

// Section 4.4: storage objects. Nothing of them can be changed by way of a listener.
void ReadStorage(const Object& object, CK_ATTRIBUTE_TYPE type, AttributeValue* value) {
  switch (type) {
    case CKA_CLASS:
      return GiveNumber(value, ClassOf(object.kind));
    case CKA_TOKEN:
      return GiveBool(value, true);
    case CKA_PRIVATE:  // seen without a login
    case CKA_MODIFIABLE:
    case CKA_COPYABLE:
    case CKA_DESTROYABLE:
      return GiveBool(value, false);
    case CKA_LABEL:
      return Give(value, wire::AsBytes(object.key->entry.label));
    case CKA_ID:
      return Give(value, object.key->entry.id);
    case CKA_START_DATE:
    case CKA_END_DATE:
      return GiveNothing(value);
    default:
      return;
  }
}

// Section 4.6.3: X.509 public key certificate objects.
void ReadCertificate(const Key& key, CK_ATTRIBUTE_TYPE type, AttributeValue* value) {
  switch (type) {
    case CKA_CERTIFICATE_TYPE:
      return GiveNumber(value, CKC_X_509);
    case CKA_TRUSTED:
      return GiveBool(value, false);
    case CKA_CERTIFICATE_CATEGORY:  // 0: unspecified
    case CKA_JAVA_MIDP_SECURITY_DOMAIN:
      return GiveNumber(value, 0);
    case CKA_SUBJECT:
      return Give(value, key.certificate.subject);
    case CKA_ISSUER:
      return Give(value, key.certificate.issuer);
    case CKA_SERIAL_NUMBER:
      return Give(value, key.certificate.serial_number);
    case CKA_VALUE:
      return Give(value, key.entry.certificate);
    case CKA_URL:
    case CKA_HASH_OF_SUBJECT_PUBLIC_KEY:
    case CKA_HASH_OF_ISSUER_PUBLIC_KEY:
      return GiveNothing(value);
    default:
      return;
  }
}

void GiveMechanisms(const Key& key, AttributeValue* value) {
  size_t count = 0;
  for (size_t i = 0; i < key.entry.mechanism_count; ++i) {
    if (key.Permits(key.entry.mechanisms[i])) value->scratch[count++] = key.entry.mechanisms[i];
  }
  GiveNumbers(value, count);
}

// Section 4.7: what private and public keys have in common. Where and how a key was made is between
// the token and the operator.
void ReadKey(const Object& object, CK_ATTRIBUTE_TYPE type, AttributeValue* value) {
  const wire::CatalogueEntry& entry = object.key->entry;
  const bool rsa = entry.type == KeyType::kRsa;
  switch (type) {
    case CKA_KEY_TYPE:
      return GiveNumber(value, cryptoki::CkKeyType(entry.type));
    case CKA_DERIVE:
    case CKA_LOCAL:
      return GiveBool(value, false);
    case CKA_KEY_GEN_MECHANISM:
      return GiveNumber(value, CK_UNAVAILABLE_INFORMATION);
    case CKA_SUBJECT:
      return Give(value, object.key->certificate.subject);
    case CKA_MODULUS:
      if (rsa) Give(value, entry.public_first);
      return;
    case CKA_PUBLIC_EXPONENT:
      if (rsa) Give(value, entry.public_second);
      return;
    case CKA_EC_PARAMS:
      if (!rsa) Give(value, entry.public_first);
      return;
    default:
      return;
  }
}

// Section 4.9: private key objects. Signing is all they can do.
void ReadPrivateKey(const Key& key, CK_ATTRIBUTE_TYPE type, AttributeValue* value) {
  switch (type) {
    case CKA_SIGN:
    case CKA_SENSITIVE:
      return GiveBool(value, true);
    case CKA_DECRYPT:
    case CKA_SIGN_RECOVER:
    case CKA_UNWRAP:
    case CKA_EXTRACTABLE:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_WRAP_WITH_TRUSTED:
    case CKA_ALWAYS_AUTHENTICATE:
      return GiveBool(value, false);
    case CKA_ALLOWED_MECHANISMS:
      return GiveMechanisms(key, value);
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
      if (key.entry.type == KeyType::kRsa) value->presence = Presence::kSensitive;
      return;
    case CKA_VALUE:
      if (key.entry.type == KeyType::kEc) value->presence = Presence::kSensitive;
      return;
    default:
      return;
  }
}

// Section 4.8: public key objects. Verifying is done where the public key is wanted, not here.
void ReadPublicKey(const Key& key, CK_ATTRIBUTE_TYPE type, AttributeValue* value) {
  const bool rsa = key.entry.type == KeyType::kRsa;
  switch (type) {
    case CKA_ENCRYPT:
    case CKA_VERIFY:
    case CKA_VERIFY_RECOVER:
    case CKA_WRAP:
    case CKA_TRUSTED:
      return GiveBool(value, false);
    case CKA_ALLOWED_MECHANISMS:
      return GiveNothing(value);
    case CKA_MODULUS_BITS:
      if (rsa) GiveNumber(value, key.entry.bits);
      return;
    case CKA_EC_POINT:
      if (!rsa) Give(value, key.entry.public_second);
      return;
    default:
      return;
  }
}

// The answer for one attribute of C_GetAttributeValue's template.
CK_RV CopyAttribute(const AttributeValue& value, CK_ATTRIBUTE* wanted) {
  if (value.presence != Presence::kPresent) {
    wanted->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return value.presence == Presence::kSensitive ? CKR_ATTRIBUTE_SENSITIVE
                                                  : CKR_ATTRIBUTE_TYPE_INVALID;
  }
  const size_t size = value.bytes.size();
  if (wanted->pValue != nullptr) {
    if (wanted->ulValueLen < size) {
      wanted->ulValueLen = CK_UNAVAILABLE_INFORMATION;
      return CKR_BUFFER_TOO_SMALL;
    }
    if (size != 0) memcpy(wanted->pValue, value.bytes.data(), size);
  }
  wanted->ulValueLen = size;
  return CKR_OK;
}

int Severity(CK_RV rv) {
  switch (rv) {
    case CKR_OK:
      return 0;
    case CKR_BUFFER_TOO_SMALL:
      return 1;
    case CKR_ATTRIBUTE_TYPE_INVALID:
      return 2;
    default:
      return 3;
  }
}

}  // namespace

void ReadAttribute(const Object& object, CK_ATTRIBUTE_TYPE type, AttributeValue* value) {
  value->presence = Presence::kAbsent;
  ReadStorage(object, type, value);
  if (value->presence != Presence::kAbsent) return;
  if (object.kind == ObjectKind::kCertificate) return ReadCertificate(*object.key, type, value);
  ReadKey(object, type, value);
  if (value->presence != Presence::kAbsent) return;
  if (object.kind == ObjectKind::kPrivateKey) return ReadPrivateKey(*object.key, type, value);
  ReadPublicKey(*object.key, type, value);
}

bool Matches(const Object& object, std::span<const CK_ATTRIBUTE> wanted) {
  AttributeValue value;
  for (const CK_ATTRIBUTE& attribute : wanted) {
    ReadAttribute(object, attribute.type, &value);
    if (value.presence != Presence::kPresent) return false;
    const size_t size = value.bytes.size();
    if (attribute.ulValueLen != size) return false;
    if (size != 0 && memcmp(attribute.pValue, value.bytes.data(), size) != 0) return false;
  }
  return true;
}

CK_RV CopyAttributes(const Object& object, std::span<CK_ATTRIBUTE> wanted) {
  AttributeValue value;
  CK_RV worst = CKR_OK;
  for (CK_ATTRIBUTE& attribute : wanted) {
    ReadAttribute(object, attribute.type, &value);
    const CK_RV rv = CopyAttribute(value, &attribute);
    if (Severity(rv) > Severity(worst)) worst = rv;
  }
  return worst;
}

}  // namespace keybroker::module
