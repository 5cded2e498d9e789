#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/cryptoki/key_type.h"
#include "keybroker/token/profile.h"
#include "keybroker/token/session.h"

namespace keybroker::token {

// KeyPair is one private key of the token with the public key and certificate of the same CKA_ID.
struct KeyPair {
  CK_OBJECT_HANDLE private_key = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE public_key = CK_INVALID_HANDLE;  // CK_INVALID_HANDLE: none on the token
  CK_OBJECT_HANDLE certificate_object = CK_INVALID_HANDLE;
  std::vector<uint8_t> id;  // CKA_ID
  std::string label;        // CKA_LABEL: the key name
  cryptoki::KeyType type = cryptoki::KeyType::kRsa;
  uint32_t bits = 0;
  std::vector<uint8_t> public_first;      // CKA_MODULUS or CKA_EC_PARAMS
  std::vector<uint8_t> public_second;     // CKA_PUBLIC_EXPONENT or CKA_EC_POINT (DER OCTET STRING)
  std::vector<uint8_t> spki;              // DER SubjectPublicKeyInfo
  std::array<uint8_t, 32> spki_sha256{};  // the key's name on the wire
  std::vector<uint8_t> certificate;       // DER; empty: none
  bool always_authenticate = false;
  bool extractable = false;
  bool sensitive = true;
  std::vector<CK_MECHANISM_TYPE> mechanisms;  // of AllSignMechanisms, those this key can do here
};

// KeyList is every RSA and EC private key that keybroker can serve, sorted by label, type, id; and
// in skipped, one sentence for each that it cannot (no public key, other type, duplicate id).
struct KeyList {
  std::vector<KeyPair> keys;
  std::vector<std::string> skipped;
};

// ListKeys reads the token. The session's token must be logged in to see private objects.
Result<KeyList> ListKeys(const Session& session);

// ListPublicKeys reads the public keys of one label, with the certificates of their CKA_IDs, which
// takes no login where they are public objects: there is no private_key in what it gives, and
// nothing but the public parts is known.
Result<KeyList> ListPublicKeys(const Session& session, std::string_view label);

// KeySpec says what to generate.
struct KeySpec {
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  uint32_t bits = 256;      // RSA 2048, 3072, 4096; EC 256, 384, 521
  std::string label;        // key name
  bool exportable = false;  // decided at birth
};

// CheckKeySpec accepts the sizes above; the error lists them.
Status CheckKeySpec(const KeySpec& spec);

// GenerateKey makes a key pair on the token: CKA_SENSITIVE, CKA_SIGN only, CKA_EXTRACTABLE as
// asked, CKA_ALLOWED_MECHANISMS where the profile has it; CKA_ID is the SHA-1 of the public key
// (RFC 5280 section 4.2.1.2 method 1). Attributes are read back and a signature is verified with
// the public key before it returns; a pair that fails is destroyed again. What the profile says
// that the token cannot make is refused before anything is made.
Result<KeyPair> GenerateKey(const Session& session, const Profile& profile, const KeySpec& spec);

// GenerateSessionKey is GenerateKey as objects of the session: no storage of the token holds the
// key, and the token forgets it when the session closes.
Result<KeyPair> GenerateSessionKey(const Session& session, const Profile& profile,
                                   const KeySpec& spec);

// SubjectKeyId is that SHA-1, 20 bytes, of a DER SubjectPublicKeyInfo.
Result<std::vector<uint8_t>> SubjectKeyId(Bytes spki);

// WriteCertificate stores der as the certificate object of key (same CKA_ID and label), read back
// and compared, replacing the earlier one only when the new one is there.
Status WriteCertificate(const Session& session, const KeyPair& key, Bytes der);

// DeleteKey destroys the pair's objects: private key first, so that a failure never leaves a key
// that is not listed.
Status DeleteKey(const Session& session, const KeyPair& key);

}  // namespace keybroker::token
