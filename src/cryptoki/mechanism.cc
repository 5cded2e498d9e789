#include "keybroker/cryptoki/mechanism.h"

#include <string.h>

namespace keybroker::cryptoki {
namespace {

constexpr SignMechanism kMechanisms[] = {
    {CKM_RSA_PKCS, "CKM_RSA_PKCS", KeyType::kRsa, Scheme::kRsaPkcs1, false, Digest::kSha256},
    {CKM_SHA256_RSA_PKCS, "CKM_SHA256_RSA_PKCS", KeyType::kRsa, Scheme::kRsaPkcs1, true,
     Digest::kSha256},
    {CKM_SHA384_RSA_PKCS, "CKM_SHA384_RSA_PKCS", KeyType::kRsa, Scheme::kRsaPkcs1, true,
     Digest::kSha384},
    {CKM_SHA512_RSA_PKCS, "CKM_SHA512_RSA_PKCS", KeyType::kRsa, Scheme::kRsaPkcs1, true,
     Digest::kSha512},
    {CKM_RSA_PKCS_PSS, "CKM_RSA_PKCS_PSS", KeyType::kRsa, Scheme::kRsaPss, false, Digest::kSha256},
    {CKM_SHA256_RSA_PKCS_PSS, "CKM_SHA256_RSA_PKCS_PSS", KeyType::kRsa, Scheme::kRsaPss, true,
     Digest::kSha256},
    {CKM_SHA384_RSA_PKCS_PSS, "CKM_SHA384_RSA_PKCS_PSS", KeyType::kRsa, Scheme::kRsaPss, true,
     Digest::kSha384},
    {CKM_SHA512_RSA_PKCS_PSS, "CKM_SHA512_RSA_PKCS_PSS", KeyType::kRsa, Scheme::kRsaPss, true,
     Digest::kSha512},
    {CKM_ECDSA, "CKM_ECDSA", KeyType::kEc, Scheme::kEcdsa, false, Digest::kSha256},
    {CKM_ECDSA_SHA256, "CKM_ECDSA_SHA256", KeyType::kEc, Scheme::kEcdsa, true, Digest::kSha256},
    {CKM_ECDSA_SHA384, "CKM_ECDSA_SHA384", KeyType::kEc, Scheme::kEcdsa, true, Digest::kSha384},
    {CKM_ECDSA_SHA512, "CKM_ECDSA_SHA512", KeyType::kEc, Scheme::kEcdsa, true, Digest::kSha512},
};

struct DigestFacts {
  Digest digest;
  const char* name;
  size_t size;
  CK_MECHANISM_TYPE mechanism;
  CK_RSA_PKCS_MGF_TYPE mgf;
  uint8_t prefix[19];  // RFC 8017 section 9.2, note 1
};

constexpr DigestFacts kDigests[] = {
    {Digest::kSha256,
     "SHA-256",
     32,
     CKM_SHA256,
     CKG_MGF1_SHA256,
     {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
      0x05, 0x00, 0x04, 0x20}},
    {Digest::kSha384,
     "SHA-384",
     48,
     CKM_SHA384,
     CKG_MGF1_SHA384,
     {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02,
      0x05, 0x00, 0x04, 0x30}},
    {Digest::kSha512,
     "SHA-512",
     64,
     CKM_SHA512,
     CKG_MGF1_SHA512,
     {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03,
      0x05, 0x00, 0x04, 0x40}},
};

const DigestFacts& Facts(Digest digest) { return kDigests[static_cast<size_t>(digest) - 1]; }

}  // namespace

size_t DigestSize(Digest digest) { return Facts(digest).size; }
std::string_view DigestName(Digest digest) { return Facts(digest).name; }
CK_MECHANISM_TYPE DigestMechanism(Digest digest) { return Facts(digest).mechanism; }
CK_RSA_PKCS_MGF_TYPE DigestMgf(Digest digest) { return Facts(digest).mgf; }
std::span<const uint8_t> DigestInfoPrefix(Digest digest) { return Facts(digest).prefix; }

std::optional<Digest> DigestFromMechanism(CK_MECHANISM_TYPE mechanism) {
  for (const DigestFacts& facts : kDigests) {
    if (facts.mechanism == mechanism) return facts.digest;
  }
  return std::nullopt;
}

std::span<const SignMechanism> AllSignMechanisms() { return kMechanisms; }

const SignMechanism* FindSignMechanism(CK_MECHANISM_TYPE type) {
  for (const SignMechanism& mechanism : kMechanisms) {
    if (mechanism.type == type) return &mechanism;
  }
  return nullptr;
}

const SignMechanism* FindSignMechanism(std::string_view name) {
  constexpr std::string_view kPrefix = "CKM_";
  for (const SignMechanism& mechanism : kMechanisms) {
    const std::string_view full = mechanism.name;
    if (name == full || name == full.substr(kPrefix.size())) return &mechanism;
  }
  return nullptr;
}

CK_MECHANISM_TYPE HashAndSign(Scheme scheme, Digest digest) {
  for (const SignMechanism& mechanism : AllSignMechanisms()) {
    if (mechanism.hashes && mechanism.scheme == scheme && mechanism.digest == digest) {
      return mechanism.type;
    }
  }
  return CK_UNAVAILABLE_INFORMATION;  // the list has one for each pair
}

std::optional<Digest> ParseDigestInfo(std::span<const uint8_t> data) {
  for (const DigestFacts& facts : kDigests) {
    if (data.size() == sizeof facts.prefix + facts.size &&
        memcmp(data.data(), facts.prefix, sizeof facts.prefix) == 0) {
      return facts.digest;
    }
  }
  return std::nullopt;
}

}  // namespace keybroker::cryptoki
