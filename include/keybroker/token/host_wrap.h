#pragma once

#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/key_wrap.h"

namespace keybroker::token {

// HostWrap does by OpenSSL what a token's algorithm does to plain under the AES-256 key kek; iv
// only for kAesCbcPad.
Result<std::vector<uint8_t>> HostWrap(WrapAlgorithm algorithm, const Secret& kek, Bytes iv,
                                      Bytes plain);

// HostUnwrap is the way back. What it gives is in the clear in this process.
Result<Secret> HostUnwrap(WrapAlgorithm algorithm, const Secret& kek, Bytes iv, Bytes wrapped);

}  // namespace keybroker::token
