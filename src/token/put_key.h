#pragma once

#include <functional>

#include "keybroker/token/key_wrap.h"

namespace keybroker::token {

// PrivateMaker makes a private key object with a template, by C_UnwrapKey or C_CreateObject.
using PrivateMaker = std::function<Result<CK_OBJECT_HANDLE>(const Attributes& object)>;

// TryKey makes the key of spec as an object of the session with hardened attributes, which signs,
// is used if there is a use, is destroyed and seen to be gone.
Status TryKey(const Session& session, const UnwrapSpec& spec, const PrivateMaker& make,
              const KeyUse& use = {});

// PutKey is TryKey, and then the same as objects of the token, which sign again. On any failure
// what was made is destroyed.
Result<KeyPair> PutKey(const Session& session, const UnwrapSpec& spec, const PrivateMaker& make);

}  // namespace keybroker::token
