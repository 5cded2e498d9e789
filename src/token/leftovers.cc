#include "keybroker/token/leftovers.h"

#include <algorithm>
#include <utility>

#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/token/receiving_key.h"

namespace keybroker::token {
namespace {

// Lacks tells whether an object has no such attribute, or an empty one.
Result<bool> Lacks(const Session& session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  KB_ASSIGN(const auto value, session.Read(object, type));
  return !value || value->empty();
}

// SaysItIsNoKey tells whether a CK_RV is about the key rather than about token or session, whose
// trouble proves nothing.
bool SaysItIsNoKey(CK_RV rv) {
  switch (rv) {
    case CKR_GENERAL_ERROR:
    case CKR_ARGUMENTS_BAD:
    case CKR_ATTRIBUTE_VALUE_INVALID:
    case CKR_KEY_SIZE_RANGE:
    case CKR_KEY_TYPE_INCONSISTENT:
      return true;
    default:
      return false;
  }
}

Result<bool> IsEmptyPrivateKey(const Session& session, CK_OBJECT_HANDLE object) {
  KB_ASSIGN(const auto type, session.ReadUlong(object, CKA_KEY_TYPE));
  if (!type || (*type != CKK_RSA && *type != CKK_EC)) return false;
  KB_ASSIGN(const bool lacks,
            Lacks(session, object, *type == CKK_RSA ? CKA_MODULUS : CKA_EC_PARAMS));
  if (!lacks) return false;
  // Some tokens show nothing of a good key's public part: what signs is a key.
  const std::vector<uint8_t> digest(32, 1);
  const auto signature =
      session.Sign(object, *type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA, std::nullopt, digest);
  return !signature && SaysItIsNoKey(signature.error().rv);
}

Result<bool> IsEmptyPublicKey(const Session& session, CK_OBJECT_HANDLE object) {
  KB_ASSIGN(const auto type, session.ReadUlong(object, CKA_KEY_TYPE));
  if (!type || (*type != CKK_RSA && *type != CKK_EC)) return false;
  return Lacks(session, object, *type == CKK_RSA ? CKA_MODULUS : CKA_EC_POINT);
}

// Describe gives what is to be said of an object that was found.
Result<Leftover> Describe(const Session& session, CK_OBJECT_HANDLE object, std::string what) {
  KB_ASSIGN(const auto label, session.Read(object, CKA_LABEL));
  KB_ASSIGN(auto id, session.Read(object, CKA_ID));
  Leftover leftover{object, std::move(id).value_or(std::vector<uint8_t>()), false, std::move(what)};
  const std::string name = label ? std::string(label->begin(), label->end()) : std::string();
  leftover.text += " \"" + EscapeUnprintable(name) + "\" (";
  leftover.text += leftover.id.empty() ? "no id" : "id " + Hex(leftover.id);
  leftover.text += ")";
  return leftover;
}

using Test = Result<bool> (*)(const Session&, CK_OBJECT_HANDLE);

Status Add(const Session& session, const Attributes& match, Test test, const std::string& what,
           std::vector<Leftover>* found) {
  KB_ASSIGN(const auto objects, session.Find(match));
  for (const CK_OBJECT_HANDLE object : objects) {
    KB_ASSIGN(const bool is, test(session, object));
    if (!is) continue;
    KB_ASSIGN(Leftover leftover, Describe(session, object, what));
    found->push_back(std::move(leftover));
  }
  return {};
}

Result<bool> Always(const Session&, CK_OBJECT_HANDLE) { return true; }

}  // namespace

Result<std::vector<Leftover>> FindLeftovers(const Session& session) {
  std::vector<Leftover> found;
  const auto of_class = [](CK_OBJECT_CLASS which) {
    return std::move(Attributes().AddUlong(CKA_CLASS, which));
  };
  KB_TRY(Add(session, of_class(CKO_PRIVATE_KEY), IsEmptyPrivateKey,
             "a private key object that holds no key:", &found));
  KB_TRY(Add(session, of_class(CKO_PUBLIC_KEY), IsEmptyPublicKey,
             "a public key object that holds no key:", &found));
  for (const CK_OBJECT_CLASS half : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY}) {
    Attributes receiving = of_class(half);
    receiving.Add(CKA_LABEL, std::string_view(kReceivingLabel));
    KB_TRY(Add(session, receiving, Always, "a key prepared to receive a copy:", &found));
  }
  Attributes kek = of_class(CKO_SECRET_KEY);
  kek.Add(CKA_LABEL, std::string_view(kKekLabel));
  const size_t keys = found.size();
  KB_TRY(Add(session, kek, Always, "a backup's key-encryption key:", &found));
  for (size_t i = keys; i < found.size(); ++i) found[i].kek = true;
  return found;
}

Result<std::vector<Leftover>> RemoveLeftovers(const Session& session) {
  KB_ASSIGN(auto found, FindLeftovers(session));
  for (const Leftover& each : found) KB_TRY(session.Destroy(each.object));
  return found;
}

Result<std::vector<Leftover>> RemoveLeftoversOf(const Session& session, Bytes id) {
  KB_ASSIGN(auto found, FindLeftovers(session));
  std::erase_if(found, [&](const Leftover& each) {
    return !each.kek && !std::equal(each.id.begin(), each.id.end(), id.begin(), id.end());
  });
  for (const Leftover& each : found) KB_TRY(session.Destroy(each.object));
  return found;
}

}  // namespace keybroker::token
