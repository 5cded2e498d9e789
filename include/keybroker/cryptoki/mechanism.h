#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::cryptoki {

// Digest is a hash function that TLS signatures may use.
enum class Digest : uint8_t { kSha256 = 1, kSha384 = 2, kSha512 = 3 };

// DigestSize is the digest's length in bytes; DigestName its name, such as "SHA-256".
size_t DigestSize(Digest digest);
std::string_view DigestName(Digest digest);

// DigestMechanism is CKM_SHA256 and its kin; DigestMgf is CKG_MGF1_SHA256 and its kin.
CK_MECHANISM_TYPE DigestMechanism(Digest digest);
CK_RSA_PKCS_MGF_TYPE DigestMgf(Digest digest);
std::optional<Digest> DigestFromMechanism(CK_MECHANISM_TYPE mechanism);

// Scheme is what a signing mechanism does with the digest.
enum class Scheme : uint8_t { kRsaPkcs1, kRsaPss, kEcdsa };

// SignMechanism describes one mechanism that a binding may name.
struct SignMechanism {
  CK_MECHANISM_TYPE type;
  const char* name;  // "CKM_ECDSA"
  KeyType key_type;  // the keys it goes with
  Scheme scheme;
  bool hashes;    // the token hashes: the data is the message, not a digest
  Digest digest;  // only where hashes
};

// AllSignMechanisms is the closed list, in the order C_GetMechanismList shows it: CKM_RSA_PKCS,
// CKM_RSA_PKCS_PSS, CKM_ECDSA and their SHA-256/384/512 hash-and-sign kin. CKM_RSA_X_509 is not in
// it and never will be: raw RSA signs whatever padding the caller makes.
std::span<const SignMechanism> AllSignMechanisms();

// FindSignMechanism gives the entry of type, or nullptr; by name, "CKM_ECDSA" or "ECDSA".
const SignMechanism* FindSignMechanism(CK_MECHANISM_TYPE type);
const SignMechanism* FindSignMechanism(std::string_view name);

// HashAndSign is the mechanism of scheme that makes the digest itself: CKM_ECDSA_SHA256 and its
// kin.
CK_MECHANISM_TYPE HashAndSign(Scheme scheme, Digest digest);

// ParseDigestInfo tells which digest a DER DigestInfo (RFC 8017 section 9.2, NULL parameters) is
// of; nothing unless data is exactly the fixed prefix and a digest of the right length.
std::optional<Digest> ParseDigestInfo(std::span<const uint8_t> data);

// DigestInfoPrefix is the fixed DER that precedes the digest in a DigestInfo.
std::span<const uint8_t> DigestInfoPrefix(Digest digest);

}  // namespace keybroker::cryptoki
