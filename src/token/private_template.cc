#include "token/private_template.h"

#include <tuple>
#include <vector>

#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::token {
namespace {

void AddAllowedMechanisms(cryptoki::KeyType type, Attributes* attributes) {
  std::vector<CK_MECHANISM_TYPE> allowed;
  for (const cryptoki::SignMechanism& mechanism : cryptoki::AllSignMechanisms()) {
    if (mechanism.key_type == type) allowed.push_back(mechanism.type);
  }
  attributes->Add(CKA_ALLOWED_MECHANISMS, Bytes(reinterpret_cast<const uint8_t*>(allowed.data()),
                                                allowed.size() * sizeof allowed[0]));
}

}  // namespace

Attributes PrivateTemplate(const PrivateKeyRights& rights, std::string_view label, Bytes id) {
  Attributes attributes;
  attributes.AddUlong(CKA_CLASS, CKO_PRIVATE_KEY)
      .AddUlong(CKA_KEY_TYPE, cryptoki::CkKeyType(rights.type))
      .AddBool(CKA_TOKEN, rights.on_token)
      .AddBool(CKA_PRIVATE, true)
      .AddBool(CKA_SENSITIVE, true)
      .AddBool(CKA_EXTRACTABLE, rights.exportable)
      .AddBool(CKA_SIGN, true)
      .AddBool(CKA_SIGN_RECOVER, false)
      .AddBool(CKA_DECRYPT, false)  // SoftHSM 2.6.1 defaults to true, on EC keys too
      .AddBool(CKA_UNWRAP, false)
      .AddBool(CKA_DERIVE, false)
      .Add(CKA_LABEL, label)
      .Add(CKA_ID, id);
  if (rights.allowed_mechanisms) AddAllowedMechanisms(rights.type, &attributes);
  return attributes;
}

Status CheckPrivateAttributes(const Session& session, CK_OBJECT_HANDLE key, bool exportable) {
  for (const auto& [type, wanted, name] : {std::tuple{CKA_SENSITIVE, true, "CKA_SENSITIVE"},
                                           {CKA_SIGN, true, "CKA_SIGN"},
                                           {CKA_EXTRACTABLE, exportable, "CKA_EXTRACTABLE"},
                                           {CKA_SIGN_RECOVER, false, "CKA_SIGN_RECOVER"},
                                           {CKA_DECRYPT, false, "CKA_DECRYPT"},
                                           {CKA_UNWRAP, false, "CKA_UNWRAP"},
                                           {CKA_DERIVE, false, "CKA_DERIVE"}}) {
    KB_ASSIGN(const auto value, session.ReadBool(key, type));
    if (value && *value != wanted) {
      return Fail(TokenFailed(std::string("the token set ") + name +
                              " otherwise than asked; the key was destroyed again"));
    }
  }
  return {};
}

}  // namespace keybroker::token
