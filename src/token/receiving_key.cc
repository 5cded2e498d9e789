#include "keybroker/token/receiving_key.h"

#include <utility>

#include "keybroker/base/hex.h"
#include "token/find_wrap.h"
#include "token/oaep_parameters.h"
#include "token/put_key.h"
#include "token/spki.h"

namespace keybroker::token {
namespace {

constexpr CK_ULONG kReceivingBits = 3072;
constexpr uint8_t kF4[] = {0x01, 0x00, 0x01};

Attributes ReceivingHalf(CK_OBJECT_CLASS half, bool on_token) {
  Attributes object;
  object.AddUlong(CKA_CLASS, half)
      .AddUlong(CKA_KEY_TYPE, CKK_RSA)
      .AddBool(CKA_TOKEN, on_token)
      .Add(CKA_LABEL, std::string_view(kReceivingLabel));
  return object;
}

Attributes PublicHalf(bool on_token) {
  Attributes object = ReceivingHalf(CKO_PUBLIC_KEY, on_token);
  object.AddBool(CKA_PRIVATE, false)
      .AddBool(CKA_ENCRYPT, false)
      .AddBool(CKA_VERIFY, false)
      .AddUlong(CKA_MODULUS_BITS, kReceivingBits)
      .Add(CKA_PUBLIC_EXPONENT, Bytes(kF4));
  return object;
}

Attributes PrivateHalf(bool on_token) {
  Attributes object = ReceivingHalf(CKO_PRIVATE_KEY, on_token);
  object.AddBool(CKA_PRIVATE, true)
      .AddBool(CKA_SENSITIVE, true)
      .AddBool(CKA_EXTRACTABLE, false)
      .AddBool(CKA_UNWRAP, true)
      .AddBool(CKA_SIGN, false)
      .AddBool(CKA_DECRYPT, false);
  return object;
}

Result<std::vector<uint8_t>> ReadRsaSpki(const Session& session, CK_OBJECT_HANDLE object) {
  KB_ASSIGN(const auto modulus, session.Read(object, CKA_MODULUS));
  KB_ASSIGN(const auto exponent, session.Read(object, CKA_PUBLIC_EXPONENT));
  if (!modulus || !exponent) return Fail(TokenFailed("the token hides a public key"));
  KB_ASSIGN(const EvpKey key, RsaPublicKey(*modulus, *exponent));
  return Spki(key);
}

// PrivateOf is the private key object that belongs to a prepared public key object.
Result<CK_OBJECT_HANDLE> PrivateOf(const Session& session, CK_OBJECT_HANDLE public_key) {
  KB_ASSIGN(const auto modulus, session.Read(public_key, CKA_MODULUS));
  KB_ASSIGN(const auto found, session.Find(ReceivingHalf(CKO_PRIVATE_KEY, true)));
  for (const CK_OBJECT_HANDLE each : found) {
    KB_ASSIGN(const auto own, session.Read(each, CKA_MODULUS));
    if (own && own == modulus) return each;
  }
  return Fail(NotFound("the prepared key's private key is not on the token any more"));
}

}  // namespace

Result<ReceivingKey> ReceivingKey::Generate(const Session& session, bool on_token) {
  KB_ASSIGN(const Session::Pair pair,
            session.GenerateKeyPair(CKM_RSA_PKCS_KEY_PAIR_GEN, PublicHalf(on_token),
                                    PrivateHalf(on_token)));
  ReceivingKey key(&session, pair);
  KB_ASSIGN(key.spki_, ReadRsaSpki(session, pair.public_key));
  return key;
}

Result<ReceivingKey> ReceivingKey::Make(const Session& session) { return Generate(session, false); }

Result<std::vector<uint8_t>> ReceivingKey::Prepare(const Session& session) {
  KB_ASSIGN(ReceivingKey key, Generate(session, true));
  key.session_ = nullptr;  // it stays
  return std::move(key.spki_);
}

Result<ReceivingKey> ReceivingKey::Find(const Session& session,
                                        const std::array<uint8_t, 32>& sha256) {
  KB_ASSIGN(const auto found, session.Find(ReceivingHalf(CKO_PUBLIC_KEY, true)));
  std::string others;
  for (const CK_OBJECT_HANDLE public_key : found) {
    KB_ASSIGN(auto spki, ReadRsaSpki(session, public_key));
    KB_ASSIGN(const auto own, SpkiSha256(spki));
    if (own != sha256) {
      others += (others.empty() ? "" : ", ") + Hex(own);
      continue;
    }
    KB_ASSIGN(const CK_OBJECT_HANDLE private_key, PrivateOf(session, public_key));
    ReceivingKey key(&session, {public_key, private_key});
    key.spki_ = std::move(spki);
    return key;
  }
  return Fail(NotFound("no key that was prepared on the token has the fingerprint " + Hex(sha256) +
                       (others.empty() ? ": none was prepared" : ": there is " + others)));
}

ReceivingKey::ReceivingKey(ReceivingKey&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)),
      pair_(other.pair_),
      spki_(std::move(other.spki_)) {}

ReceivingKey::~ReceivingKey() {
  if (session_ == nullptr) return;
  static_cast<void>(session_->Destroy(pair_.private_key));
  static_cast<void>(session_->Destroy(pair_.public_key));
}

bool ReceivingKey::Opens(OaepHash hash) const {
  const std::vector<uint8_t> known(kKekSize, 0x5a);
  const uint8_t* at = spki_.data();
  const EvpKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki_.size())));
  const auto secret = Secret::CopyFrom(Bytes(known));
  if (key == nullptr || !secret) return false;
  const auto wrapped = HostOaepWrap(key.get(), hash, *secret);
  if (!wrapped) return false;
  Attributes object;
  object.AddUlong(CKA_CLASS, CKO_SECRET_KEY)
      .AddUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
      .AddBool(CKA_TOKEN, false)
      .AddBool(CKA_SENSITIVE, false)
      .AddBool(CKA_EXTRACTABLE, true);
  const OaepParameters oaep(hash);
  const auto opened =
      session_->UnwrapKey(CKM_RSA_PKCS_OAEP, oaep.bytes(), pair_.private_key, *wrapped, object);
  if (!opened) return false;
  const auto value = session_->Read(*opened, CKA_VALUE);
  static_cast<void>(session_->Destroy(*opened));
  return value && *value == known;
}

std::vector<OaepHash> ReceivingKey::Hashes() const {
  std::vector<OaepHash> hashes;
  for (const OaepHash hash : {OaepHash::kSha256, OaepHash::kSha1}) {
    if (Opens(hash)) hashes.push_back(hash);
  }
  return hashes;
}

Result<KeyPair> ReceivingKey::Receive(const RecipientWrap& sent, const UnwrapSpec& spec) const {
  if (sent.content_keys.empty()) return Fail(Malformed("no content key was sent"));
  KB_ASSIGN(const WrapMechanism how, FindUnwrap(*session_, sent.key.algorithm));
  const OaepParameters oaep(sent.hash);
  KB_ASSIGN(const Kek content_key,
            Kek::Receive(*session_, pair_.private_key, oaep.bytes(), sent.content_keys.front()));
  const PrivateMaker unwrap = [&](const Attributes& object) -> Result<CK_OBJECT_HANDLE> {
    auto key = content_key.Unwrap(how, sent.key.iv, sent.key.bytes, object);
    if (key) return *key;
    Error error = key.error();
    error.detail = "the token does not unwrap the key that the other token sent: " + error.detail;
    return Fail(std::move(error));
  };
  return PutKey(*session_, spec, unwrap);
}

Result<std::array<uint8_t, 32>> SpkiSha256(Bytes spki) {
  std::array<uint8_t, 32> sha256{};
  if (EVP_Digest(spki.data(), spki.size(), sha256.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    return Fail(Internal("SHA-256 failed"));
  }
  return sha256;
}

}  // namespace keybroker::token
