#pragma once

#include <openssl/evp.h>

#include <optional>

namespace keybroker::engine {

// SignByRsa and SignByEc make the signatures that TLS asks of EVP_PKEY_METHOD's sign function (1: a
// signature; else raised), with the key's own mechanism, once, at the broker. Nothing: the key is
// not one of ours, or what is asked is none of the broker's mechanisms (a hash other than SHA-256,
// 384 or 512, another padding or salt length): libp11's own function may try.
std::optional<int> SignByRsa(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
                             const unsigned char* digest, size_t digest_size);
std::optional<int> SignByEc(EVP_PKEY_CTX* context, unsigned char* signature, size_t* size,
                            const unsigned char* digest, size_t digest_size);

}  // namespace keybroker::engine
