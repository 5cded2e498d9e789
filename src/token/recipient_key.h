#pragma once

#include "keybroker/token/recipient_wrap.h"

namespace keybroker::token {

// RecipientKey is an RSA public key as an object of the session that only wraps, destroyed with
// this object.
class RecipientKey {
 public:
  // Import takes a DER SubjectPublicKeyInfo; Malformed when it is not RSA.
  static Result<RecipientKey> Import(const Session& session, Bytes spki);
  RecipientKey(RecipientKey&& other) noexcept;
  RecipientKey& operator=(RecipientKey&&) = delete;
  ~RecipientKey();

  // Wrap is C_WrapKey of a secret key by CKM_RSA_PKCS_OAEP (PKCS#11 v2.40 mechanisms section
  // 2.1.8).
  Result<std::vector<uint8_t>> Wrap(OaepHash hash, CK_OBJECT_HANDLE key) const;

 private:
  RecipientKey(const Session* session, CK_OBJECT_HANDLE handle)
      : session_(session), handle_(handle) {}

  const Session* session_;
  CK_OBJECT_HANDLE handle_;
};

}  // namespace keybroker::token
