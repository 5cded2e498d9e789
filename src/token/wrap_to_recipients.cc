#include <openssl/rand.h>

#include "token/find_wrap.h"
#include "token/recipient_key.h"

namespace keybroker::token {
namespace {

using Recipients = std::span<const std::vector<uint8_t>>;

// ContentKey is the key on the token, and what the recipients get of it.
struct ContentKey {
  Kek on_token;
  std::vector<std::vector<uint8_t>> wrapped;
};

Result<ContentKey> BornOnToken(const Session& session, Recipients recipients, OaepHash hash) {
  KB_ASSIGN(Kek kek, Kek::Generate(session));
  std::vector<std::vector<uint8_t>> wrapped;
  for (const auto& spki : recipients) {
    KB_ASSIGN(const RecipientKey recipient, RecipientKey::Import(session, spki));
    KB_ASSIGN(auto bytes, recipient.Wrap(hash, kek.handle()));
    wrapped.push_back(std::move(bytes));
  }
  return ContentKey{std::move(kek), std::move(wrapped)};
}

Result<ContentKey> MadeOnHost(const Session& session, Recipients recipients, OaepHash hash) {
  KB_ASSIGN(Secret value, Secret::Allocate(kKekSize));
  if (RAND_bytes(value.Buffer().data(), kKekSize) != 1) return Fail(Internal("no random bytes"));
  value.SetSize(kKekSize);
  std::vector<std::vector<uint8_t>> wrapped;
  for (const auto& spki : recipients) {
    const uint8_t* at = spki.data();
    const EvpKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
    if (key == nullptr) return Fail(Malformed("a recipient's public key does not parse"));
    KB_ASSIGN(auto bytes, HostOaepWrap(key.get(), hash, value));
    wrapped.push_back(std::move(bytes));
  }
  KB_ASSIGN(Kek kek, Kek::Create(session, value));
  return ContentKey{std::move(kek), std::move(wrapped)};
}

}  // namespace

Result<RecipientWrap> WrapToRecipients(const Session& session, const KeyPair& key,
                                       Recipients recipients, const RecipientWay& way) {
  KB_ASSIGN(ContentKey content, way.host_because.empty()
                                    ? BornOnToken(session, recipients, way.hash)
                                    : MadeOnHost(session, recipients, way.hash));
  RecipientWrap out;
  out.hash = way.hash;
  out.content_keys = std::move(content.wrapped);
  out.key.algorithm = way.how.algorithm;
  KB_ASSIGN(out.key.iv, NewIv(way.how.algorithm));
  auto bytes = content.on_token.Wrap(way.how, out.key.iv, key.private_key);
  if (!bytes) return Fail(CannotWrap(key, bytes.error()));
  out.key.bytes = std::move(*bytes);
  KB_TRY(ProveWrapped(session, out.key, way.how, content.on_token, key));
  return out;
}

}  // namespace keybroker::token
