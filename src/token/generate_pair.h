#pragma once

#include "keybroker/token/key_pair.h"

namespace keybroker::token {

// GeneratePair is GenerateKey, as token objects or (on_token false) as objects of the session,
// which the token forgets when the session closes.
Result<KeyPair> GeneratePair(const Session& session, const Profile& profile, const KeySpec& spec,
                             bool on_token);

// ReadPair gives the pair of a private key as ListKeys sees it.
Result<KeyPair> ReadPair(const Session& session, CK_OBJECT_HANDLE private_key);

}  // namespace keybroker::token
