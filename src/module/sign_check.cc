#include "module/sign_check.h"

#include <string.h>

namespace keybroker::module {
namespace {

using cryptoki::Digest;
using cryptoki::Scheme;
using cryptoki::SignMechanism;

// RFC 8017 section 9.2 step 3: what PKCS#1 v1.5 adds at least.
constexpr size_t kPkcs1Overhead = 11;
// The longest digest there is; more was not hashed.
constexpr size_t kMaxDigest = 64;

bool IsKnownMgf(CK_RSA_PKCS_MGF_TYPE mgf) {
  for (const Digest digest : {Digest::kSha256, Digest::kSha384, Digest::kSha512}) {
    if (cryptoki::DigestMgf(digest) == mgf) return true;
  }
  return false;
}

// CK_RSA_PKCS_PSS_PARAMS (section 2.1.10): there, of its size, of known values that agree with the
// mechanism, and a salt the key has room for (RFC 8017 section 9.1.1 step 3).
CK_RV ReadPss(const CK_MECHANISM& given, const SignMechanism& mechanism, uint32_t bits,
              std::optional<wire::PssParameters>* pss) {
  CK_RSA_PKCS_PSS_PARAMS params;
  if (given.pParameter == nullptr || given.ulParameterLen != sizeof params) {
    return CKR_MECHANISM_PARAM_INVALID;
  }
  memcpy(&params, given.pParameter, sizeof params);
  const auto digest = cryptoki::DigestFromMechanism(params.hashAlg);
  if (!digest || !IsKnownMgf(params.mgf)) return CKR_MECHANISM_PARAM_INVALID;
  if (mechanism.hashes && *digest != mechanism.digest) return CKR_MECHANISM_PARAM_INVALID;
  const size_t room = (size_t{bits} - 1 + 7) / 8;
  const size_t needed = cryptoki::DigestSize(*digest) + 2;
  if (room < needed) return CKR_KEY_SIZE_RANGE;
  if (params.sLen > room - needed) return CKR_MECHANISM_PARAM_INVALID;
  *pss = wire::PssParameters{static_cast<uint32_t>(params.hashAlg),
                             static_cast<uint32_t>(params.mgf), static_cast<uint32_t>(params.sLen)};
  return CKR_OK;
}

CK_RV CheckParameters(const CK_MECHANISM& given, SignOperation* operation) {
  const SignMechanism& mechanism = *operation->mechanism;
  if (mechanism.scheme == Scheme::kRsaPss) {
    return ReadPss(given, mechanism, operation->bits, &operation->pss);
  }
  if (given.ulParameterLen != 0) return CKR_MECHANISM_PARAM_INVALID;
  if (mechanism.scheme == Scheme::kRsaPkcs1 && mechanism.hashes) {
    const size_t size = cryptoki::DigestInfoPrefix(mechanism.digest).size() +
                        cryptoki::DigestSize(mechanism.digest);
    if (SignatureSize(*operation) < size + kPkcs1Overhead) return CKR_KEY_SIZE_RANGE;
  }
  return CKR_OK;
}

}  // namespace

CK_RV CheckSignInit(const CK_MECHANISM& given, const Key& key, SignOperation* operation) {
  // CKM_RSA_X_509 is no sign mechanism of ours: hosts that fall back to it sign raw blocks.
  const SignMechanism* mechanism = cryptoki::FindSignMechanism(given.mechanism);
  if (mechanism == nullptr) return CKR_MECHANISM_INVALID;
  if (mechanism->key_type != key.entry.type) return CKR_KEY_TYPE_INCONSISTENT;
  if (!key.Permits(given.mechanism)) return CKR_MECHANISM_INVALID;
  operation->mechanism = mechanism;
  operation->key = key.entry.key;
  operation->bits = key.entry.bits;
  operation->pss.reset();
  operation->in_parts = false;
  const CK_RV rv = CheckParameters(given, operation);
  if (rv != CKR_OK) operation->mechanism = nullptr;
  return rv;
}

CK_RV CheckSignSize(const SignOperation& operation, size_t size) {
  const SignMechanism& mechanism = *operation.mechanism;
  bool fits = size <= wire::kMaxSignData;
  if (!mechanism.hashes) {
    switch (mechanism.scheme) {
      case Scheme::kRsaPkcs1:
        fits = size != 0 && size + kPkcs1Overhead <= SignatureSize(operation);
        break;
      case Scheme::kRsaPss:
        fits = size == cryptoki::DigestSize(*cryptoki::DigestFromMechanism(operation.pss->hash));
        break;
      case Scheme::kEcdsa:
        fits = size != 0 && size <= kMaxDigest;
        break;
    }
  }
  return fits ? CKR_OK : CKR_DATA_LEN_RANGE;
}

size_t SignatureSize(const SignOperation& operation) {
  return cryptoki::SignatureSize(operation.mechanism->key_type, operation.bits);
}

}  // namespace keybroker::module
