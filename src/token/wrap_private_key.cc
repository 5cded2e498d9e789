#include <openssl/rand.h>

#include "keybroker/cryptoki/names.h"
#include "keybroker/token/key_wrap.h"
#include "token/find_wrap.h"

namespace keybroker::token {

Error CannotWrap(const KeyPair& key, Error error) {
  if (error.rv == CKR_KEY_UNEXTRACTABLE) {
    error.code = ErrorCode::kDenied;
    error.detail = "the key " + key.label +
                   " was generated, or sealed, as not exportable (CKR_KEY_UNEXTRACTABLE), which "
                   "holds for good. `keybroker key generate --exportable` makes one that can be "
                   "backed up";
  } else {
    error.detail = "the token does not wrap the key " + key.label + ": " + error.detail;
  }
  return error;
}

Result<WrapMechanism> FindWrap(const Session& session, std::optional<WrapAlgorithm> algorithm) {
  std::vector<std::string> evidence;
  for (const WrapMechanism& how : ProbeWrap(session, &evidence)) {
    if (!algorithm || how.algorithm == *algorithm) return how;
  }
  std::string text;
  for (const std::string& line : evidence) text += (text.empty() ? "" : "; ") + line;
  return Fail(TokenFailed("this token does not wrap private keys" +
                          (algorithm ? " by " + std::string(WrapAlgorithmName(*algorithm)) : "") +
                          " (" + text + "): use the vendor's own means of backup"));
}

Result<std::vector<uint8_t>> NewIv(WrapAlgorithm algorithm) {
  std::vector<uint8_t> iv(algorithm == WrapAlgorithm::kAesCbcPad ? kCbcIvSize : 0);
  if (!iv.empty() && RAND_bytes(iv.data(), static_cast<int>(iv.size())) != 1) {
    return Fail(Internal("no random bytes"));
  }
  return iv;
}

Result<WrappedKey> WrapPrivateKey(const Session& session, const KeyPair& key, const Secret& kek,
                                  std::optional<WrapAlgorithm> algorithm) {
  KB_ASSIGN(const WrapMechanism how, FindWrap(session, algorithm));
  WrappedKey wrapped;
  wrapped.algorithm = how.algorithm;
  KB_ASSIGN(wrapped.iv, NewIv(how.algorithm));
  KB_ASSIGN(const Kek on_token, Kek::Create(session, kek));
  auto bytes = on_token.Wrap(how, wrapped.iv, key.private_key);
  if (!bytes) return Fail(CannotWrap(key, bytes.error()));
  wrapped.bytes = std::move(*bytes);
  KB_TRY(ProveWrapped(session, wrapped, how, on_token, key));
  return wrapped;
}

Result<Seal> SealKey(const Session& session, const KeyPair& key) {
  KB_ASSIGN(Secret random, Secret::Allocate(kKekSize));
  if (RAND_bytes(random.Buffer().data(), kKekSize) != 1) return Fail(Internal("no random bytes"));
  random.SetSize(kKekSize);
  KB_TRY(session.Set(key.private_key, Attributes().AddBool(CKA_EXTRACTABLE, false)));
  KB_ASSIGN(const auto extractable, session.ReadBool(key.private_key, CKA_EXTRACTABLE));
  if (extractable.value_or(true)) {
    return Fail(TokenFailed("the token took CKA_EXTRACTABLE false and still says true"));
  }
  Seal seal;
  const auto how = ProbeWrap(session);
  if (how.empty()) {
    seal.evidence = "CKA_EXTRACTABLE reads false; this token wraps nothing by a known algorithm";
    seal.enforced = true;
    return seal;
  }
  KB_ASSIGN(const Kek kek, Kek::Create(session, random));
  seal.enforced = true;
  seal.evidence = "CKA_EXTRACTABLE reads false";
  const std::vector<uint8_t> iv(kCbcIvSize);
  for (const WrapMechanism& each : how) {
    const bool cbc = each.algorithm == WrapAlgorithm::kAesCbcPad;
    const auto wrapped = kek.Wrap(each, cbc ? Bytes(iv) : Bytes(), key.private_key);
    seal.enforced = seal.enforced && !wrapped;
    seal.evidence += std::string("; C_WrapKey by ") + cryptoki::MechanismName(each.type) + ": " +
                     (wrapped ? "CKR_OK" : cryptoki::RvName(wrapped.error().rv));
  }
  return seal;
}

}  // namespace keybroker::token
