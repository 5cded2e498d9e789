#include <openssl/evp.h>

#include "keybroker/token/host_wrap.h"
#include "token/find_wrap.h"
#include "token/recipient_key.h"
#include "token/spki.h"

namespace keybroker::token {
namespace {

constexpr unsigned kProbeBits = 2048;

// Known is a content key that the token generated, and what it is: opened by the key made for this.
struct Known {
  Kek on_token;
  Secret value;
};

// Opened wraps a key of the token's by OAEP and opens it here.
Result<Secret> Opened(const RecipientKey& recipient, EVP_PKEY* key, OaepHash hash,
                      CK_OBJECT_HANDLE object) {
  KB_ASSIGN(const auto wrapped, recipient.Wrap(hash, object));
  KB_ASSIGN(Secret value, HostOaepUnwrap(key, hash, wrapped));
  if (value.size() != kKekSize) return Fail(TokenFailed("another key than was generated"));
  return value;
}

Result<Known> Generated(const Session& session, const RecipientKey& recipient, EVP_PKEY* key,
                        OaepHash hash) {
  KB_ASSIGN(Kek made, Kek::Generate(session));
  KB_ASSIGN(Secret value, Opened(recipient, key, hash, made.handle()));
  return Known{std::move(made), std::move(value)};
}

// Wraps tells whether the mechanism does under one known key what its algorithm does to the other.
bool Wraps(const WrapMechanism& how, const Known& kek, const Known& what) {
  const auto iv = NewIv(how.algorithm);
  if (!iv) return false;
  const auto wrapped = kek.on_token.Wrap(how, *iv, what.on_token.handle());
  if (!wrapped) return false;
  const auto back = HostUnwrap(how.algorithm, kek.value, *iv, *wrapped);
  return back && back->Equals(what.value);
}

// OnToken is the way without anything in the clear, with this digest.
Result<RecipientWay> OnToken(const Session& session, EVP_PKEY* key, Bytes spki,
                             std::optional<WrapAlgorithm> algorithm, OaepHash hash) {
  KB_ASSIGN(const RecipientKey recipient, RecipientKey::Import(session, spki));
  KB_ASSIGN(const Known kek, Generated(session, recipient, key, hash));
  KB_ASSIGN(const Known what, Generated(session, recipient, key, hash));
  for (const WrapMechanism& how : KnownWraps()) {
    if (algorithm && how.algorithm != *algorithm) continue;
    if (Wraps(how, kek, what)) return RecipientWay{how, hash, {}};
  }
  return Fail(TokenFailed("a key that it generated wraps by no known algorithm"));
}

}  // namespace

Result<RecipientWay> ProbeRecipientWay(const Session& session,
                                       std::optional<WrapAlgorithm> algorithm) {
  const EvpKey key(EVP_RSA_gen(kProbeBits));
  if (key == nullptr) return Fail(Internal("cannot make an RSA key for the probe"));
  KB_ASSIGN(const auto spki, Spki(key));
  RecipientWay way;
  for (const OaepHash hash : {OaepHash::kSha256, OaepHash::kSha1}) {
    auto on_token = OnToken(session, key.get(), spki, algorithm, hash);
    if (on_token) return on_token;
    way.host_because += (way.host_because.empty() ? "" : "; ") +
                        ("RSA-OAEP with " + std::string(OaepHashName(hash))) + ": " +
                        on_token.error().detail;
  }
  KB_ASSIGN(way.how, FindWrap(session, algorithm));
  way.hash = OaepHash::kSha256;
  return way;
}

}  // namespace keybroker::token
