#include <algorithm>
#include <tuple>

#include "keybroker/token/key_pair.h"
#include "token/generate_pair.h"
#include "token/read_key.h"
#include "token/read_public.h"

namespace keybroker::token {
namespace {

// ObjectsById lists what a search finds by CKA_ID, in one search for the whole token.
Result<ById> ObjectsById(const Session& session, const Attributes& match) {
  KB_ASSIGN(const auto objects, session.Find(match));
  ById by_id;
  for (const CK_OBJECT_HANDLE object : objects) {
    KB_ASSIGN(auto id, ReadBytes(session, object, CKA_ID));
    by_id[std::move(id)].push_back(object);
  }
  return by_id;
}

// Offered is what the token's slot signs with, of AllSignMechanisms.
Result<std::vector<const cryptoki::SignMechanism*>> Offered(const Session& session) {
  std::vector<const cryptoki::SignMechanism*> offered;
  for (const cryptoki::SignMechanism& mechanism : cryptoki::AllSignMechanisms()) {
    KB_ASSIGN(const auto info, session.MechanismInfo(CarrierOf(mechanism)));
    if (info && (info->flags & CKF_SIGN) != 0) offered.push_back(&mechanism);
  }
  return offered;
}

// ListAlike lists the keys that have the attributes of `alike`, or all of them.
Result<KeyList> ListAlike(const Session& session, const Attributes& alike) {
  const auto search = [&](CK_OBJECT_CLASS object_class) {
    return ObjectsById(session, Attributes(alike).AddUlong(CKA_CLASS, object_class));
  };
  KB_ASSIGN(const ById private_keys, search(CKO_PRIVATE_KEY));
  Peers peers;
  KB_ASSIGN(peers.offered, Offered(session));
  KB_ASSIGN(peers.public_keys, search(CKO_PUBLIC_KEY));
  KB_ASSIGN(peers.certificates, search(CKO_CERTIFICATE));
  KeyList list;
  for (const auto& [id, handles] : private_keys) {
    for (const CK_OBJECT_HANDLE handle : handles) {
      KeyPair bare;
      bare.private_key = handle;
      bare.id = id;
      KB_ASSIGN(const auto label, ReadBytes(session, handle, CKA_LABEL));
      bare.label.assign(label.begin(), label.end());
      auto key = ReadKey(session, peers, std::move(bare), handles.size());
      if (key) {
        list.keys.push_back(std::move(*key));
      } else {
        list.skipped.push_back(key.error().detail);
      }
    }
  }
  return list;
}

}  // namespace

Result<KeyList> ListKeys(const Session& session) {
  KB_ASSIGN(KeyList list, ListAlike(session, {}));
  std::sort(list.keys.begin(), list.keys.end(), [](const KeyPair& a, const KeyPair& b) {
    return std::tie(a.label, a.type, a.id) < std::tie(b.label, b.type, b.id);
  });
  return list;
}

Result<KeyPair> ReadPair(const Session& session, CK_OBJECT_HANDLE private_key) {
  KB_ASSIGN(const auto id, ReadBytes(session, private_key, CKA_ID));
  // A token may hold thousands of others, whose attributes take it seconds to read.
  KB_ASSIGN(KeyList list, ListAlike(session, Attributes().Add(CKA_ID, id)));
  for (KeyPair& key : list.keys) {
    if (key.private_key == private_key) return std::move(key);
  }
  std::string why;
  for (const std::string& sentence : list.skipped) why += "; " + sentence;
  return Fail(TokenFailed("the token does not show the key that was made on it" + why));
}

}  // namespace keybroker::token
