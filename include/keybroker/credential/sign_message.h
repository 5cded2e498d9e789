#pragma once

#include <cstdint>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/credential/request.h"
#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::credential {

// DigestFor is the digest that a key signs with in X.509 and CMS: SHA-256 for RSA, that of its
// curve's strength for EC.
cryptoki::Digest DigestFor(const PublicKey& key);

// SignMessage signs by PKCS#1 v1.5 or ECDSA with DigestFor(key), and gives the signature as X.509
// and CMS carry it (for EC a DER Ecdsa-Sig-Value, RFC 3279 section 2.2.3). It is not verified here.
Result<std::vector<uint8_t>> SignMessage(const PublicKey& key, token::Bytes message,
                                         const Signer& sign);

// VerifyMessage tells whether signature is SignMessage's, by key.spki.
bool VerifyMessage(const PublicKey& key, token::Bytes message, token::Bytes signature);

}  // namespace keybroker::credential
