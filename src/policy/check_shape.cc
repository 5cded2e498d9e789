#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/policy/decision.h"

namespace keybroker::policy {
namespace {

using cryptoki::Digest;
using cryptoki::DigestSize;
using cryptoki::SignMechanism;

// PssAgrees holds hash, MGF and salt length to one digest, as TLS does (RFC 8446 section 4.2.3),
// and that to the key: RFC 8017 section 9.1.1 step 3 needs emLen >= hLen + sLen + 2.
bool PssAgrees(const PssFacts& pss, Digest digest, uint32_t bits) {
  const size_t size = DigestSize(digest);
  if (pss.hash != cryptoki::DigestMechanism(digest)) return false;
  if (pss.mgf != cryptoki::DigestMgf(digest)) return false;
  return pss.salt_length == size && bits != 0 && (size_t{bits} - 1 + 7) / 8 >= 2 * size + 2;
}

Reason CheckPss(const SignMechanism& mechanism, uint32_t bits, const SignFacts& request) {
  if (!request.pss) return Reason::kParametersWrong;
  const auto digest = mechanism.hashes ? std::optional(mechanism.digest)
                                       : cryptoki::DigestFromMechanism(request.pss->hash);
  if (!digest || !PssAgrees(*request.pss, *digest, bits)) return Reason::kParametersWrong;
  const bool fits = mechanism.hashes || request.data.size() == DigestSize(*digest);
  return fits ? Reason::kGranted : Reason::kDataWrong;
}

// PKCS#1 v1.5 needs eleven bytes beside the DigestInfo (RFC 8017 section 9.2 step 3).
bool Pkcs1Fits(size_t digest_info_size, uint32_t bits) {
  return (size_t{bits} + 7) / 8 >= digest_info_size + 11;
}

Reason CheckPkcs1(const SignMechanism& mechanism, uint32_t bits, const SignFacts& request) {
  const auto digest =
      mechanism.hashes ? std::optional(mechanism.digest) : cryptoki::ParseDigestInfo(request.data);
  if (!digest) return Reason::kDataWrong;
  const size_t size = cryptoki::DigestInfoPrefix(*digest).size() + DigestSize(*digest);
  return Pkcs1Fits(size, bits) ? Reason::kGranted : Reason::kDataWrong;
}

Reason CheckEcdsa(const SignMechanism& mechanism, const SignFacts& request) {
  if (mechanism.hashes) return Reason::kGranted;
  for (const Digest digest : {Digest::kSha256, Digest::kSha384, Digest::kSha512}) {
    if (request.data.size() == DigestSize(digest)) return Reason::kGranted;
  }
  return Reason::kDataWrong;
}

}  // namespace

Reason CheckShape(const KeyFacts& key, const SignFacts& request) {
  const SignMechanism* mechanism = cryptoki::FindSignMechanism(request.mechanism);
  if (mechanism == nullptr) return Reason::kMechanismUnknown;
  if (mechanism->key_type != key.type) return Reason::kMechanismWrongKeyType;
  if (mechanism->scheme == cryptoki::Scheme::kRsaPss)
    return CheckPss(*mechanism, key.bits, request);
  if (request.pss) return Reason::kParametersWrong;
  if (mechanism->scheme == cryptoki::Scheme::kEcdsa) return CheckEcdsa(*mechanism, request);
  return CheckPkcs1(*mechanism, key.bits, request);
}

}  // namespace keybroker::policy
