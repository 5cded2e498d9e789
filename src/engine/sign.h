#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <optional>
#include <span>

namespace keybroker::engine {

// ToSign is one thing in two forms: its digest, and the message where OpenSSL handed it over.
struct ToSign {
  std::span<const uint8_t> digest;
  std::span<const uint8_t> message;  // data() is nullptr when only the digest is known
};

// SignByRsa and SignByEc make the signatures that TLS asks of EVP_PKEY_METHOD's sign function (1: a
// signature; else raised), with the key's own mechanism, once, at the broker: over the digest, or
// over the message where the listener's bindings permit nothing else. Nothing: the key is
// not one of ours, or what is asked is none of the broker's mechanisms (a hash other than SHA-256,
// 384 or 512, another padding or salt length): libp11's own function may try.
std::optional<int> SignByRsa(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
                             const ToSign& what);
std::optional<int> SignByEc(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
                            const ToSign& what);

}  // namespace keybroker::engine
