#include "cli/challenge.h"

#include <openssl/rand.h>
#include <openssl/x509.h>

#include "keybroker/base/hex.h"
#include "keybroker/token/openssl.h"

namespace keybroker::cli {

Result<Challenge> NewChallenge() {
  Challenge challenge{};
  if (RAND_bytes(challenge.data(), static_cast<int>(challenge.size())) != 1) {
    return Fail(Internal("no random bytes"));
  }
  return challenge;
}

Result<credential::PublicKey> PublicKeyOf(cryptoki::KeyType type,
                                          const std::vector<uint8_t>& spki) {
  const uint8_t* at = spki.data();
  const token::EvpKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  if (key == nullptr) return Fail(Malformed("that is no public key"));
  return credential::PublicKey{type, static_cast<uint32_t>(EVP_PKEY_get_bits(key.get())), spki};
}

Result<std::string> AnswerChallenge(const token::Session& session, CK_OBJECT_HANDLE private_key,
                                    const credential::PublicKey& key, const Challenge& challenge,
                                    const Secret* context_pin) {
  const credential::Signer sign = [&](CK_MECHANISM_TYPE mechanism, token::Bytes data) {
    return session.Sign(private_key, mechanism, std::nullopt, data, context_pin);
  };
  KB_ASSIGN(const auto signature, credential::SignMessage(key, challenge, sign));
  return Hex(signature);
}

bool IsAnswer(const credential::PublicKey& key, const Challenge& challenge,
              const std::string& answer) {
  const auto signature = ParseHex(answer);
  return signature && credential::VerifyMessage(key, challenge, *signature);
}

Error NoAnswer(const std::string& key) {
  return TokenFailed("the token's process says that it signed, and gave no signature of " + key +
                     ": do not trust the vendor's module");
}

}  // namespace keybroker::cli
