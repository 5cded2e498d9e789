#include "token/recipient_key.h"

#include <utility>

#include "token/oaep_parameters.h"
#include "token/spki.h"

namespace keybroker::token {

Result<RecipientKey> RecipientKey::Import(const Session& session, Bytes spki) {
  KB_ASSIGN(const PublicParts parts, PartsOf(cryptoki::KeyType::kRsa, spki));
  Attributes object;
  object.AddUlong(CKA_CLASS, CKO_PUBLIC_KEY)
      .AddUlong(CKA_KEY_TYPE, CKK_RSA)
      .AddBool(CKA_TOKEN, false)
      .AddBool(CKA_WRAP, true)
      .AddBool(CKA_ENCRYPT, false)
      .AddBool(CKA_VERIFY, false)
      .Add(CKA_MODULUS, parts.first)
      .Add(CKA_PUBLIC_EXPONENT, parts.second);
  KB_ASSIGN(const CK_OBJECT_HANDLE handle, session.Create(object));
  return RecipientKey(&session, handle);
}

RecipientKey::RecipientKey(RecipientKey&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)), handle_(other.handle_) {}

RecipientKey::~RecipientKey() {
  // As an object of the session it goes with the session at the latest.
  if (session_ != nullptr) static_cast<void>(session_->Destroy(handle_));
}

Result<std::vector<uint8_t>> RecipientKey::Wrap(OaepHash hash, CK_OBJECT_HANDLE key) const {
  return session_->WrapKey(CKM_RSA_PKCS_OAEP, OaepParameters(hash).bytes(), handle_, key);
}

}  // namespace keybroker::token
