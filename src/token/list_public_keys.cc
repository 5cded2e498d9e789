#include <algorithm>
#include <tuple>
#include <utility>

#include "keybroker/base/hex.h"
#include "keybroker/token/key_pair.h"
#include "token/read_public.h"

namespace keybroker::token {
namespace {

Status Complete(const Session& session, KeyPair* key) {
  KB_TRY(ReadPublicParts(session, key->public_key, key));
  Attributes match;
  match.AddUlong(CKA_CLASS, CKO_CERTIFICATE).Add(CKA_ID, key->id);
  KB_ASSIGN(const auto certificates, session.Find(match));
  if (certificates.empty()) return {};
  key->certificate_object = certificates.front();
  KB_ASSIGN(key->certificate, ReadBytes(session, key->certificate_object, CKA_VALUE));
  return {};
}

}  // namespace

Result<KeyList> ListPublicKeys(const Session& session, std::string_view label) {
  Attributes match;
  match.AddUlong(CKA_CLASS, CKO_PUBLIC_KEY).Add(CKA_LABEL, label);
  KB_ASSIGN(const auto objects, session.Find(match));
  KeyList list;
  for (const CK_OBJECT_HANDLE object : objects) {
    KeyPair key;
    key.public_key = object;
    key.label = label;
    KB_ASSIGN(key.id, ReadBytes(session, object, CKA_ID));
    KB_ASSIGN(const auto ck_type, session.ReadUlong(object, CKA_KEY_TYPE));
    const auto type = ck_type ? cryptoki::FromCkKeyType(*ck_type) : std::nullopt;
    if (!type || key.id.empty()) continue;
    key.type = *type;
    if (const Status complete = Complete(session, &key); !complete) {
      list.skipped.push_back("the public key \"" + key.label + "\" (id " + Hex(key.id) +
                             "): " + complete.error().detail);
      continue;
    }
    list.keys.push_back(std::move(key));
  }
  std::sort(list.keys.begin(), list.keys.end(), [](const KeyPair& a, const KeyPair& b) {
    return std::tie(a.type, a.id) < std::tie(b.type, b.id);
  });
  return list;
}

}  // namespace keybroker::token
