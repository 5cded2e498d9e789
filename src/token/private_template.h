#pragma once

#include <string>

#include "keybroker/cryptoki/key_type.h"
#include "keybroker/token/session.h"

namespace keybroker::token {

// PrivateKeyRights is what a private key of ours may be and do.
struct PrivateKeyRights {
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  bool exportable = false;
  bool allowed_mechanisms = false;  // the token takes CKA_ALLOWED_MECHANISMS
  bool on_token = true;
};

// PrivateTemplate is the hardened template of a private key, made or restored: CKA_SENSITIVE,
// CKA_SIGN and nothing else.
Attributes PrivateTemplate(const PrivateKeyRights& rights, std::string_view label, Bytes id);

// CheckPrivateAttributes reads back what the token really set; TokenFailed names the attribute.
Status CheckPrivateAttributes(const Session& session, CK_OBJECT_HANDLE key, bool exportable);

}  // namespace keybroker::token
