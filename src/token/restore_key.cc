#include <utility>

#include "keybroker/base/joined.h"
#include "keybroker/token/key_wrap.h"
#include "token/find_wrap.h"
#include "token/put_key.h"

namespace keybroker::token {
namespace {

Result<KeyPair> PutUnwrapped(const Session& session, const WrappedKey& wrapped,
                             const WrapMechanism& how, const Kek& kek, const UnwrapSpec& spec,
                             bool keep) {
  const PrivateMaker unwrap = [&](const Attributes& object) -> Result<CK_OBJECT_HANDLE> {
    auto key = kek.Unwrap(how, wrapped.iv, wrapped.bytes, object);
    if (key) return *key;
    Error error = key.error();
    error.detail = "the token does not unwrap the key: " + error.detail +
                   ". The password or recovery key fits the file, so the token cannot take such a "
                   "key, or whoever wrote the file wrapped something else";
    return Fail(std::move(error));
  };
  return PutKey(session, spec, unwrap, keep);
}

Result<KeyPair> Work(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                     const UnwrapSpec& spec, bool keep) {
  KB_ASSIGN(const WrapMechanism how, FindUnwrap(session, wrapped.algorithm));
  // One that no backup could be made of again would be weaker for nothing.
  if (spec.exportable) KB_TRY(FindWrap(session, std::nullopt));
  KB_ASSIGN(const Kek on_token, Kek::Create(session, kek));
  return PutUnwrapped(session, wrapped, how, on_token, spec, keep);
}

}  // namespace

Result<WrapMechanism> FindUnwrap(const Session& session, WrapAlgorithm algorithm) {
  std::vector<std::string> evidence;
  for (const WrapMechanism& how : ProbeUnwrap(session, &evidence)) {
    if (how.algorithm == algorithm) return how;
  }
  return Fail(TokenFailed("this token does not unwrap keys by " +
                          std::string(WrapAlgorithmName(algorithm)) + " (" + Joined(evidence) +
                          "): restore on another token, or `keybroker backup restore --to-file` "
                          "for its vendor's own means"));
}

Status ProveWrapped(const Session& session, const WrappedKey& wrapped, const WrapMechanism& how,
                    const Kek& kek, const KeyPair& key) {
  const auto proved =
      PutUnwrapped(session, wrapped, how, kek, {key.label, key.type, key.spki}, false);
  if (proved) return {};
  Error error = proved.error();
  error.detail = "the token wrapped the key " + key.label +
                 ", but what it gave does not restore, so no backup was made: " + error.detail;
  return Fail(std::move(error));
}

Status TryUnwrap(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                 const UnwrapSpec& spec) {
  KB_TRY(Work(session, wrapped, kek, spec, false));
  return {};
}

Result<KeyPair> RestoreKey(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                           const UnwrapSpec& spec) {
  return Work(session, wrapped, kek, spec, true);
}

}  // namespace keybroker::token
