#pragma once

#include <map>
#include <vector>

#include "keybroker/token/key_pair.h"

namespace keybroker::token {

// ById is a token's objects of one class by CKA_ID.
using ById = std::map<std::vector<uint8_t>, std::vector<CK_OBJECT_HANDLE>>;

// Peers is what else the token holds, by CKA_ID, and what it signs with.
struct Peers {
  std::vector<const cryptoki::SignMechanism*> offered;
  ById public_keys;
  ById certificates;
};

// CarrierOf is the mechanism that a token needs for one of AllSignMechanisms: the raw one carries
// its hash-and-sign kin, since Session::Sign hashes here.
CK_MECHANISM_TYPE CarrierOf(const cryptoki::SignMechanism& mechanism);

// ReadKey gives the whole of a key of which private_key, id and label are known, or a sentence why
// it cannot be served. same_id is how many private keys have its CKA_ID.
Result<KeyPair> ReadKey(const Session& session, const Peers& peers, KeyPair key, size_t same_id);

}  // namespace keybroker::token
