#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace keybroker::contract {

using Bytes = std::span<const uint8_t>;

// Sha256 is the digest of a message.
std::vector<uint8_t> Sha256(Bytes message);

// VerifiesRsa tells whether signature is the key's over a SHA-256 digest: PSS with a salt of 32
// bytes, or PKCS#1 v1.5. VerifiesEcdsa takes r || s. By OpenSSL, without any token.
bool VerifiesRsa(Bytes spki, Bytes digest, Bytes signature, bool pss);
bool VerifiesEcdsa(Bytes spki, Bytes digest, Bytes signature);

}  // namespace keybroker::contract
