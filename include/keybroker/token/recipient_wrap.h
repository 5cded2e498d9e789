#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/key_wrap.h"
#include "keybroker/token/openssl.h"

namespace keybroker::token {

// OaepHash is the digest of RSAES-OAEP (RFC 8017 section 7.1) and of its MGF1; the label is empty.
enum class OaepHash { kSha1, kSha256 };

// OaepHashName is "SHA-1" or "SHA-256".
std::string_view OaepHashName(OaepHash hash);

// HostOaepWrap and HostOaepUnwrap do by OpenSSL what a token does with RSA-OAEP.
Result<std::vector<uint8_t>> HostOaepWrap(EVP_PKEY* public_key, OaepHash hash, const Secret& key);
Result<Secret> HostOaepUnwrap(EVP_PKEY* private_key, OaepHash hash, Bytes wrapped);

// RecipientWay is how a token wraps keys to recipients.
struct RecipientWay {
  WrapMechanism how{};  // the private key, under a content key
  OaepHash hash = OaepHash::kSha1;
  std::string host_because;  // why the content key has to be made on the host; empty: it has not
};

// ProbeRecipientWay finds it by known answer: a content key that the token generates, wrapped to an
// RSA key made for this, which opens it here and then checks what it wraps. No key in the clear is
// given to the token, so tokens that take none (FIPS modes) can do this. Where the token cannot all
// of that, the way is that of ProbeWrap, with the content key made on the host; TokenFailed where
// it cannot that either.
Result<RecipientWay> ProbeRecipientWay(const Session& session,
                                       std::optional<WrapAlgorithm> algorithm);

// RecipientWrap is a private key wrapped under a content key, and that wrapped to each recipient.
struct RecipientWrap {
  WrappedKey key;
  OaepHash hash = OaepHash::kSha1;
  std::vector<std::vector<uint8_t>> content_keys;  // in the recipients' order
};

// WrapToRecipients wraps key under a new AES-256 content key, and that by RSA-OAEP to each of the
// recipients (DER SubjectPublicKeyInfo, RSA). The content key is born on the token, an object of
// the session that is not kept, and leaves it only so, unless way.host_because says otherwise. The
// wrapped key is proved as by WrapPrivateKey; that a recipient can open his content key, only he
// can prove.
Result<RecipientWrap> WrapToRecipients(const Session& session, const KeyPair& key,
                                       std::span<const std::vector<uint8_t>> recipients,
                                       const RecipientWay& way);

}  // namespace keybroker::token
