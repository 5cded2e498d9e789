#include <utility>

#include "keybroker/token/key_wrap.h"
#include "keybroker/token/leftovers.h"

namespace keybroker::token {
namespace {

// KekTemplate lets a key unwrap, wrap too unless it came from elsewhere, and nothing else.
Attributes KekTemplate(bool extractable, bool wraps = true) {
  Attributes attributes;
  attributes.AddUlong(CKA_CLASS, CKO_SECRET_KEY)
      .AddUlong(CKA_KEY_TYPE, CKK_AES)
      .AddBool(CKA_TOKEN, false)
      .Add(CKA_LABEL, std::string_view(kKekLabel))
      .AddBool(CKA_PRIVATE, true)
      .AddBool(CKA_SENSITIVE, true)
      .AddBool(CKA_EXTRACTABLE, extractable)
      .AddBool(CKA_WRAP, wraps)
      .AddBool(CKA_UNWRAP, true)
      .AddBool(CKA_ENCRYPT, false)
      .AddBool(CKA_DECRYPT, false);
  return attributes;
}

}  // namespace

std::string_view WrapAlgorithmName(WrapAlgorithm algorithm) {
  return algorithm == WrapAlgorithm::kAesKeyWrapPad ? "aes256-wrap-pad" : "aes256-cbc-pad";
}

Result<Kek> Kek::Create(const Session& session, const Secret& key) {
  auto handle = session.CreateSecret(KekTemplate(false), key);
  if (!handle) {
    Error error = handle.error();
    error.detail = "the token does not take the key that the password makes (" + error.detail +
                   "): it cannot make or restore password backups";
    return Fail(std::move(error));
  }
  return Kek(&session, *handle);
}

Result<Kek> Kek::Generate(const Session& session) {
  Attributes attributes = KekTemplate(true);
  attributes.AddUlong(CKA_VALUE_LEN, kKekSize);
  KB_ASSIGN(const CK_OBJECT_HANDLE handle, session.GenerateKey(CKM_AES_KEY_GEN, attributes));
  return Kek(&session, handle);
}

Result<Kek> Kek::Receive(const Session& session, CK_OBJECT_HANDLE private_key, Bytes oaep,
                         Bytes wrapped) {
  KB_ASSIGN(const CK_OBJECT_HANDLE handle, session.UnwrapKey(CKM_RSA_PKCS_OAEP, oaep, private_key,
                                                             wrapped, KekTemplate(false, false)));
  return Kek(&session, handle);
}

Kek::Kek(Kek&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)), handle_(other.handle_) {}

Kek::~Kek() {
  // As an object of the session it goes with the session at the latest.
  if (session_ != nullptr) static_cast<void>(session_->Destroy(handle_));
}

Result<std::vector<uint8_t>> Kek::Wrap(const WrapMechanism& how, Bytes iv,
                                       CK_OBJECT_HANDLE key) const {
  return session_->WrapKey(how.type, iv, handle_, key);
}

Result<CK_OBJECT_HANDLE> Kek::Unwrap(const WrapMechanism& how, Bytes iv, Bytes wrapped,
                                     const Attributes& object) const {
  const auto unwrap = [&](const Attributes& as) {
    return session_->UnwrapKey(how.type, iv, handle_, wrapped, as);
  };
  // opencryptoki makes what it unwraps extractable and not sensitive, and will not be told to.
  // Whoever asks reads back what was set.
  auto key = unwrap(object);
  if (key || key.error().rv != CKR_ATTRIBUTE_READ_ONLY) return key;
  key = unwrap(object.Without(CKA_EXTRACTABLE));
  if (key || key.error().rv != CKR_ATTRIBUTE_READ_ONLY) return key;
  return unwrap(object.Without(CKA_EXTRACTABLE).Without(CKA_SENSITIVE));
}

}  // namespace keybroker::token
