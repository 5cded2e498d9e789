#pragma once

#include <optional>
#include <span>
#include <vector>

#include "keybroker/token/key_wrap.h"

namespace keybroker::token {

// FindWrap is the first probed mechanism, or the one of algorithm; TokenFailed tells what was
// tried.
Result<WrapMechanism> FindWrap(const Session& session, std::optional<WrapAlgorithm> algorithm);

// FindUnwrap is the probed mechanism that unwraps by algorithm; NotFound tells what was tried.
Result<WrapMechanism> FindUnwrap(const Session& session, WrapAlgorithm algorithm);

// KnownWraps are the algorithms and mechanisms that may be found, the preferred first.
std::span<const WrapMechanism> KnownWraps();

// NewIv is a random IV, empty for an algorithm that has none.
Result<std::vector<uint8_t>> NewIv(WrapAlgorithm algorithm);

// CannotWrap says of C_WrapKey's error what it means for the key, and what to do.
Error CannotWrap(const KeyPair& key, Error error);

// ProveWrapped is TryUnwrap of a key that has just been wrapped, under a KEK that is on the token.
Status ProveWrapped(const Session& session, const WrappedKey& wrapped, const WrapMechanism& how,
                    const Kek& kek, const KeyPair& key);

}  // namespace keybroker::token
