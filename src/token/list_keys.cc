#include <algorithm>
#include <map>
#include <tuple>

#include "keybroker/base/hex.h"
#include "keybroker/token/key_pair.h"
#include "token/read_public.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;

using ById = std::map<std::vector<uint8_t>, std::vector<CK_OBJECT_HANDLE>>;

// Shown names a key for an operator: its label, and its id where it has one.
std::string Shown(const KeyPair& key) { return "\"" + key.label + "\" (id " + Hex(key.id) + ")"; }

// ObjectsById lists one class of objects by CKA_ID, in one search for the whole token.
Result<ById> ObjectsById(const Session& session, CK_OBJECT_CLASS object_class) {
  KB_ASSIGN(const auto objects, session.Find(Attributes().AddUlong(CKA_CLASS, object_class)));
  ById by_id;
  for (const CK_OBJECT_HANDLE object : objects) {
    KB_ASSIGN(auto id, ReadBytes(session, object, CKA_ID));
    by_id[std::move(id)].push_back(object);
  }
  return by_id;
}

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

// The raw mechanism carries its hash-and-sign kin: Session::Sign hashes here.
CK_MECHANISM_TYPE Carrier(const cryptoki::SignMechanism& mechanism) {
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

Result<std::vector<CK_MECHANISM_TYPE>> AllowedByKey(const Session& session, CK_OBJECT_HANDLE key) {
  KB_ASSIGN(const auto bytes, ReadBytes(session, key, CKA_ALLOWED_MECHANISMS));
  std::vector<CK_MECHANISM_TYPE> allowed(bytes.size() / sizeof(CK_MECHANISM_TYPE));
  if (!allowed.empty()) {
    std::copy_n(bytes.begin(), allowed.size() * sizeof(CK_MECHANISM_TYPE),
                reinterpret_cast<uint8_t*>(allowed.data()));
  }
  return allowed;
}

// Offered is what the token's slot signs with, of AllSignMechanisms.
Result<std::vector<const cryptoki::SignMechanism*>> Offered(const Session& session) {
  std::vector<const cryptoki::SignMechanism*> offered;
  for (const cryptoki::SignMechanism& mechanism : cryptoki::AllSignMechanisms()) {
    KB_ASSIGN(const auto info, session.MechanismInfo(Carrier(mechanism)));
    if (info && (info->flags & CKF_SIGN) != 0) offered.push_back(&mechanism);
  }
  return offered;
}

Status ReadMechanisms(const Session& session,
                      const std::vector<const cryptoki::SignMechanism*>& offered, KeyPair* key) {
  KB_ASSIGN(const auto allowed, AllowedByKey(session, key->private_key));
  for (const cryptoki::SignMechanism* mechanism : offered) {
    if (mechanism->key_type != key->type) continue;
    const bool listed =
        std::find(allowed.begin(), allowed.end(), Carrier(*mechanism)) != allowed.end();
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

// Peers is what else the token holds, by CKA_ID, and what it signs with.
struct Peers {
  std::vector<const cryptoki::SignMechanism*> offered;
  ById public_keys;
  ById certificates;
};

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

Result<KeyList> ListKeys(const Session& session) {
  KB_ASSIGN(const ById private_keys, ObjectsById(session, CKO_PRIVATE_KEY));
  Peers peers;
  KB_ASSIGN(peers.offered, Offered(session));
  KB_ASSIGN(peers.public_keys, ObjectsById(session, CKO_PUBLIC_KEY));
  KB_ASSIGN(peers.certificates, ObjectsById(session, CKO_CERTIFICATE));
  KeyList list;
  for (const auto& [id, handles] : private_keys) {
    for (const CK_OBJECT_HANDLE handle : handles) {
      KeyPair key;
      key.private_key = handle;
      key.id = id;
      KB_ASSIGN(const auto label, ReadBytes(session, handle, CKA_LABEL));
      key.label.assign(label.begin(), label.end());
      KB_ASSIGN(const auto type, session.ReadUlong(handle, CKA_KEY_TYPE));
      if (const std::string why = WhyNot(type, key, handles.size()); !why.empty()) {
        list.skipped.push_back("the private key " + Shown(key) + " " + why);
        continue;
      }
      key.type = *cryptoki::FromCkKeyType(*type);
      if (const Status complete = Complete(session, peers, &key); !complete) {
        list.skipped.push_back("the private key " + Shown(key) + ": " + complete.error().detail);
        continue;
      }
      list.keys.push_back(std::move(key));
    }
  }
  std::sort(list.keys.begin(), list.keys.end(), [](const KeyPair& a, const KeyPair& b) {
    return std::tie(a.label, a.type, a.id) < std::tie(b.label, b.type, b.id);
  });
  return list;
}

}  // namespace keybroker::token
