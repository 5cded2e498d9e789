#pragma once

#include <functional>

#include "keybroker/token/key_wrap.h"

namespace keybroker::token {

// PrivateMaker makes a private key object with a template, by C_UnwrapKey or C_CreateObject.
using PrivateMaker = std::function<Result<CK_OBJECT_HANDLE>(const Attributes& object)>;

// PutKey makes the key of spec: first as an object of the session with hardened attributes, which
// signs and is destroyed again; then, if keep, as objects of the token, which sign again. On any
// failure what was made is destroyed. Without keep the KeyPair it gives is empty.
Result<KeyPair> PutKey(const Session& session, const UnwrapSpec& spec, const PrivateMaker& make,
                       bool keep);

}  // namespace keybroker::token
