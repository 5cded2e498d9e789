#include "tokenhost/sign_check.h"

#include <algorithm>

namespace keybroker::tokenhost {
namespace {

using cryptoki::Digest;
using cryptoki::DigestSize;
using cryptoki::Scheme;

bool IsDigestSize(size_t size) {
  return size == DigestSize(Digest::kSha256) || size == DigestSize(Digest::kSha384) ||
         size == DigestSize(Digest::kSha512);
}

// CheckPss: hash and MGF of one allowed digest, a salt as long as the digest, and that digest's
// length as the data unless the token hashes.
SignVerdict CheckPss(const cryptoki::SignMechanism& mechanism, const wire::SignRequest& request) {
  const auto digest = cryptoki::DigestFromMechanism(request.pss->hash);
  if (!digest || request.pss->mgf != cryptoki::DigestMgf(*digest) ||
      request.pss->salt_length != DigestSize(*digest) ||
      (mechanism.hashes && *digest != mechanism.digest)) {
    return {CKR_MECHANISM_PARAM_INVALID, {}};
  }
  if (!mechanism.hashes && request.data.size() != DigestSize(*digest)) {
    return {CKR_DATA_LEN_RANGE, {}};
  }
  return {CKR_OK, token::PssParameters{*digest, request.pss->salt_length}};
}

}  // namespace

SignVerdict CheckSign(const ServedKey& key, const wire::SignRequest& request) {
  const cryptoki::SignMechanism* mechanism = cryptoki::FindSignMechanism(request.mechanism);
  if (mechanism == nullptr || std::find(key.mechanisms.begin(), key.mechanisms.end(),
                                        mechanism->type) == key.mechanisms.end()) {
    return {CKR_MECHANISM_INVALID, {}};
  }
  if (mechanism->key_type != key.type) return {CKR_KEY_TYPE_INCONSISTENT, {}};
  if ((mechanism->scheme == Scheme::kRsaPss) != request.pss.has_value()) {
    return {CKR_MECHANISM_PARAM_INVALID, {}};
  }
  if (mechanism->scheme == Scheme::kRsaPss) return CheckPss(*mechanism, request);
  if (mechanism->hashes) return {};
  const bool fits = mechanism->scheme == Scheme::kEcdsa
                        ? IsDigestSize(request.data.size())
                        : cryptoki::ParseDigestInfo(request.data).has_value();
  return {fits ? CK_RV{CKR_OK} : CK_RV{CKR_DATA_INVALID}, {}};
}

}  // namespace keybroker::tokenhost
