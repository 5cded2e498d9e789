#include "token/read_key.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "keybroker/base/hex.h"
#include "token/read_public.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;

// Shown names a key for an operator: its label, and its id where it has one.
std::string Shown(const KeyPair& key) { return "\"" + key.label + "\" (id " + Hex(key.id) + ")"; }

Status ReadPublic(const Session& session, KeyPair* key) {
  // An RSA private key knows its modulus: a public key object of another key is found out.
  KB_ASSIGN(const auto own, ReadBytes(session, key->private_key, CKA_MODULUS));
  const CK_OBJECT_HANDLE source =
      key->public_key != CK_INVALID_HANDLE ? key->public_key : key->private_key;
  KB_TRY(ReadPublicParts(session, source, key));
  if (key->type == KeyType::kRsa && !own.empty() && own != key->public_first) {
    return Fail(Conflict("the public key object with its CKA_ID belongs to another key"));
  }
  return {};
}

Result<std::vector<CK_MECHANISM_TYPE>> AllowedByKey(const Session& session, CK_OBJECT_HANDLE key) {
  KB_ASSIGN(const auto bytes, ReadBytes(session, key, CKA_ALLOWED_MECHANISMS));
  std::vector<CK_MECHANISM_TYPE> allowed(bytes.size() / sizeof(CK_MECHANISM_TYPE));
  if (!allowed.empty()) {
    std::copy_n(bytes.begin(), allowed.size() * sizeof(CK_MECHANISM_TYPE),
                reinterpret_cast<uint8_t*>(allowed.data()));
  }
  return allowed;
}

Status ReadMechanisms(const Session& session,
                      const std::vector<const cryptoki::SignMechanism*>& offered, KeyPair* key) {
  KB_ASSIGN(const auto allowed, AllowedByKey(session, key->private_key));
  for (const cryptoki::SignMechanism* mechanism : offered) {
    if (mechanism->key_type != key->type) continue;
    const bool listed =
        std::find(allowed.begin(), allowed.end(), CarrierOf(*mechanism)) != allowed.end();
    if (allowed.empty() || listed) key->mechanisms.push_back(mechanism->type);
  }
  KB_ASSIGN(const auto may_sign, session.ReadBool(key->private_key, CKA_SIGN));
  if (!may_sign.value_or(true)) return Fail(Denied("its CKA_SIGN is false"));
  if (!key->mechanisms.empty()) return {};
  return Fail(
      Denied(std::string("neither the token nor its CKA_ALLOWED_MECHANISMS let it sign by ") +
             (key->type == KeyType::kRsa ? "CKM_RSA_PKCS or CKM_RSA_PKCS_PSS" : "CKM_ECDSA")));
}

Status ReadFlags(const Session& session, KeyPair* key) {
  const CK_OBJECT_HANDLE object = key->private_key;
  KB_ASSIGN(const auto always, session.ReadBool(object, CKA_ALWAYS_AUTHENTICATE));
  KB_ASSIGN(const auto extractable, session.ReadBool(object, CKA_EXTRACTABLE));
  KB_ASSIGN(const auto sensitive, session.ReadBool(object, CKA_SENSITIVE));
  key->always_authenticate = always.value_or(false);
  key->extractable = extractable.value_or(true);
  key->sensitive = sensitive.value_or(false);
  return {};
}

CK_OBJECT_HANDLE First(const ById& by_id, const std::vector<uint8_t>& id) {
  const auto found = by_id.find(id);
  return found == by_id.end() ? CK_INVALID_HANDLE : found->second.front();
}

Status Complete(const Session& session, const Peers& peers, KeyPair* key) {
  key->public_key = First(peers.public_keys, key->id);
  key->certificate_object = First(peers.certificates, key->id);
  KB_TRY(ReadPublic(session, key));
  KB_TRY(ReadFlags(session, key));
  KB_TRY(ReadMechanisms(session, peers.offered, key));
  if (key->certificate_object != CK_INVALID_HANDLE) {
    KB_ASSIGN(key->certificate, ReadBytes(session, key->certificate_object, CKA_VALUE));
  }
  return {};
}

// WhyNot is the reason why a private key of this type and id cannot be served, or empty.
std::string WhyNot(std::optional<CK_ULONG> ck_type, const KeyPair& key, size_t same_id) {
  if (!ck_type || !cryptoki::FromCkKeyType(*ck_type)) {
    return "is neither RSA nor EC (an Ed25519 key that libp11 0.4.12 can see makes every other "
           "key unusable for it, so it is never shown)";
  }
  if (key.id.empty()) return "has no CKA_ID";
  if (same_id > 1) return "shares its CKA_ID with another private key";
  return {};
}

}  // namespace

CK_MECHANISM_TYPE CarrierOf(const cryptoki::SignMechanism& mechanism) {
  switch (mechanism.scheme) {
    case cryptoki::Scheme::kRsaPkcs1:
      return CKM_RSA_PKCS;
    case cryptoki::Scheme::kRsaPss:
      return CKM_RSA_PKCS_PSS;
    case cryptoki::Scheme::kEcdsa:
      return CKM_ECDSA;
  }
  return mechanism.type;
}

Result<KeyPair> ReadKey(const Session& session, const Peers& peers, KeyPair key, size_t same_id) {
  KB_ASSIGN(const auto type, session.ReadUlong(key.private_key, CKA_KEY_TYPE));
  if (const std::string why = WhyNot(type, key, same_id); !why.empty()) {
    return Fail(Denied("the private key " + Shown(key) + " " + why));
  }
  key.type = *cryptoki::FromCkKeyType(*type);
  if (const Status complete = Complete(session, peers, &key); !complete) {
    Error error = complete.error();
    error.detail = "the private key " + Shown(key) + ": " + error.detail;
    return Fail(std::move(error));
  }
  return key;
}

}  // namespace keybroker::token
