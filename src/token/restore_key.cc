#include <utility>

#include "keybroker/base/joined.h"
#include "keybroker/token/key_wrap.h"
#include "token/find_wrap.h"
#include "token/put_key.h"

namespace keybroker::token {
namespace {

// Unwrapping makes private keys of wrapped. All that it is given must outlive it.
PrivateMaker Unwrapping(const WrappedKey& wrapped, const WrapMechanism& how, const Kek& kek) {
  return [&](const Attributes& object) -> Result<CK_OBJECT_HANDLE> {
    auto key = kek.Unwrap(how, wrapped.iv, wrapped.bytes, object);
    if (key) return *key;
    Error error = key.error();
    error.detail = "the token does not unwrap the key: " + error.detail +
                   ". The password or recovery key fits the file, so the token cannot take such a "
                   "key, or whoever wrote the file wrapped something else";
    return Fail(std::move(error));
  };
}

// Ready is a token that can unwrap the key.
struct Ready {
  WrapMechanism how;
  Kek kek;
};

Result<Ready> MakeReady(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                        const UnwrapSpec& spec) {
  KB_ASSIGN(const WrapMechanism how, FindUnwrap(session, wrapped.algorithm));
  // One that no backup could be made of again would be weaker for nothing.
  if (spec.exportable) KB_TRY(FindWrap(session, std::nullopt));
  KB_ASSIGN(Kek on_token, Kek::Create(session, kek));
  return Ready{how, std::move(on_token)};
}

}  // namespace

Result<WrapMechanism> FindUnwrap(const Session& session, WrapAlgorithm algorithm) {
  std::vector<std::string> evidence;
  for (const WrapMechanism& how : ProbeUnwrap(session, &evidence)) {
    if (how.algorithm == algorithm) return how;
  }
  return Fail(NotFound("this token does not unwrap keys by " +
                       std::string(WrapAlgorithmName(algorithm)) + " (" + Joined(evidence) +
                       "): restore or drill on another token (--token), or `keybroker backup "
                       "restore --to-file` for its vendor's own means"));
}

Status ProveWrapped(const Session& session, const WrappedKey& wrapped, const WrapMechanism& how,
                    const Kek& kek, const KeyPair& key) {
  const Status proved =
      TryKey(session, {key.label, key.type, key.spki}, Unwrapping(wrapped, how, kek));
  if (proved) return {};
  Error error = proved.error();
  error.detail = "the token wrapped the key " + key.label +
                 ", but what it gave does not restore, so no backup was made: " + error.detail;
  return Fail(std::move(error));
}

Status TryUnwrap(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                 const UnwrapSpec& spec, const KeyUse& use) {
  KB_ASSIGN(const Ready ready, MakeReady(session, wrapped, kek, spec));
  return TryKey(session, spec, Unwrapping(wrapped, ready.how, ready.kek), use);
}

Result<KeyPair> RestoreKey(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                           const UnwrapSpec& spec) {
  KB_ASSIGN(const Ready ready, MakeReady(session, wrapped, kek, spec));
  return PutKey(session, spec, Unwrapping(wrapped, ready.how, ready.kek));
}

}  // namespace keybroker::token
