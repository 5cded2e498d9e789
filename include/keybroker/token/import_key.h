#pragma once

#include <span>
#include <string>

#include "keybroker/token/key_wrap.h"

namespace keybroker::token {

// WrapForImport wraps a private key's PKCS#8 on the host, in each form that a token may unwrap: for
// a key that was in the clear anyway, so that the token's process need not have it so.
Result<std::vector<WrappedKey>> WrapForImport(const Secret& kek, const Secret& pkcs8);

// ImportedKey is a key that came onto the token, and by which way.
struct ImportedKey {
  KeyPair key;
  bool in_the_clear = false;  // by C_CreateObject: the vendor's code saw it
};

// ImportKey is RestoreKey with whichever form of WrapForImport the token unwraps. Only where it
// unwraps none (ProbeWrap) is the key unwrapped here and handed over by C_CreateObject; never when
// exportable is asked for, since no backup could be made of it (TokenFailed).
Result<ImportedKey> ImportKey(const Session& session, std::span<const WrappedKey> forms,
                              const Secret& kek, const UnwrapSpec& spec);

}  // namespace keybroker::token
