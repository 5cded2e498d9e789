#include "cli/certificate_match.h"

#include <string>

namespace keybroker::cli {
namespace {

const token::KeyPair* KeyOf(const token::KeyList& keys,
                            const credential::Certificate& certificate) {
  for (const auto& key : keys.keys) {
    if (key.spki == certificate.spki) return &key;
  }
  return nullptr;
}

bool IsMeant(const token::KeyPair& key, const KeyWish& wish) {
  return key.label == wish.name && (!wish.type || *wish.type == key.type);
}

std::string Meant(const token::KeyList& keys, const KeyWish& wish) {
  std::string text;
  for (const auto& key : keys.keys) {
    if (IsMeant(key, wish)) text += (text.empty() ? "" : "; ") + Describe(key);
  }
  return text;
}

}  // namespace

Result<const token::KeyPair*> MatchKey(const token::KeyList& keys, const KeyWish& wish,
                                       const std::vector<credential::Certificate>& certificates) {
  const std::string meant = Meant(keys, wish);
  const token::KeyPair* key = KeyOf(keys, certificates.front());
  if (meant.empty()) {
    return Fail(
        NotFound("the token has no such key as " + wish.name +
                 (key == nullptr ? ": `keybroker key list` shows what there is"
                                 : "; the certificate's public key is that of " + Describe(*key))));
  }
  if (key != nullptr && IsMeant(*key, wish)) return key;
  for (size_t i = 1; i < certificates.size(); ++i) {
    const token::KeyPair* other = KeyOf(keys, certificates[i]);
    if (other == nullptr || !IsMeant(*other, wish)) continue;
    return Fail(Malformed("the chain is out of order: certificate " + std::to_string(i + 1) +
                          " of the file is the one of " + Describe(*other) +
                          ", and must come first, its issuers after it"));
  }
  if (key != nullptr) {
    return Fail(Malformed("this certificate is not for the key that was named (" + meant +
                          "): its public key is that of " + Describe(*key)));
  }
  return Fail(Malformed("this certificate is not for the key that was named (" + meant +
                        "): its public key fits no key on the token. Was it requested with "
                        "another key?"));
}

}  // namespace keybroker::cli
