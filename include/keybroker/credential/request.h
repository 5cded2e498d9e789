#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/cryptoki/key_type.h"
#include "keybroker/token/session.h"

namespace keybroker::credential {

// PublicKey is the key that a request is for.
struct PublicKey {
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  uint32_t bits = 0;
  std::vector<uint8_t> spki;  // DER SubjectPublicKeyInfo
};

// RequestSpec is what the request asks for.
struct RequestSpec {
  std::string subject;                 // RFC 4514, "CN=mail.example.test,O=Example"; may be empty
  std::vector<std::string> dns_names;  // subjectAltName; already checked names, at least one
};

// Signer signs with the private key: CKM_RSA_PKCS over a DigestInfo, or CKM_ECDSA over a digest
// (result r || s, PKCS#11 v2.40 mechanisms section 2.3.1).
using Signer =
    std::function<Result<std::vector<uint8_t>>(CK_MECHANISM_TYPE mechanism, token::Bytes data)>;

// DefaultSubject is CN=NAME; empty when the name is longer than a common name may be (64, RFC 5280
// appendix A.1).
std::string DefaultSubject(std::string_view name);

// MakeRequest makes a PKCS#10 request (RFC 2986) as DER. RSA is signed by PKCS#1 v1.5 with SHA-256,
// EC by ECDSA with the digest of its curve's strength. The signature is verified with the public
// key before it returns. Malformed when the subject does not parse, TokenFailed when the signature
// is not one of this key.
Result<std::vector<uint8_t>> MakeRequest(const PublicKey& key, const RequestSpec& spec,
                                         const Signer& sign);

// FormatRequest is the request as PEM.
std::string FormatRequest(token::Bytes der);

// IsRequest tells whether a file's bytes, which may be anything, are one request in PEM or DER.
bool IsRequest(std::string_view bytes);

}  // namespace keybroker::credential
