#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/token/module.h"

namespace keybroker::token {

using Bytes = std::span<const uint8_t>;

// Attributes is a template that owns its values (PKCS#11 v2.40 section 4).
class Attributes {
 public:
  Attributes& Add(CK_ATTRIBUTE_TYPE type, Bytes value);
  Attributes& Add(CK_ATTRIBUTE_TYPE type, std::string_view text);
  Attributes& AddBool(CK_ATTRIBUTE_TYPE type, bool value);
  Attributes& AddUlong(CK_ATTRIBUTE_TYPE type, CK_ULONG value);

  // Without gives the same but for one attribute.
  Attributes Without(CK_ATTRIBUTE_TYPE type) const;

  // Template points into this object; valid until the next Add.
  std::vector<CK_ATTRIBUTE> Template() const;

 private:
  std::vector<std::pair<CK_ATTRIBUTE_TYPE, std::vector<uint8_t>>> values_;
};

// PssParameters is CK_RSA_PKCS_PSS_PARAMS by digest; salt_length in bytes.
struct PssParameters {
  cryptoki::Digest digest;
  uint32_t salt_length;
};

// Session owns one CK_SESSION_HANDLE. For one thread at a time. Move-only; closing it never logs
// anybody out (Token owns the login).
class Session {
 public:
  static Result<Session> Open(std::shared_ptr<Module> module, CK_SLOT_ID slot, bool read_write);
  Session(Session&& other) noexcept;
  Session& operator=(Session&& other) noexcept;
  ~Session();

  // Find gives every object that matches.
  Result<std::vector<CK_OBJECT_HANDLE>> Find(const Attributes& match) const;

  // Read gives an attribute's value; nothing when the object does not have it or it is sensitive.
  Result<std::optional<std::vector<uint8_t>>> Read(CK_OBJECT_HANDLE object,
                                                   CK_ATTRIBUTE_TYPE type) const;
  Result<std::optional<bool>> ReadBool(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;
  Result<std::optional<CK_ULONG>> ReadUlong(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;

  Result<CK_OBJECT_HANDLE> Create(const Attributes& object) const;
  // CreateSecret is Create with value as CKA_VALUE, which is copied nowhere on the way.
  Result<CK_OBJECT_HANDLE> CreateSecret(const Attributes& object, const Secret& value) const;
  Status Set(CK_OBJECT_HANDLE object, const Attributes& values) const;
  Status Destroy(CK_OBJECT_HANDLE object) const;

  struct Pair {
    CK_OBJECT_HANDLE public_key;
    CK_OBJECT_HANDLE private_key;
  };
  Result<Pair> GenerateKeyPair(CK_MECHANISM_TYPE mechanism, const Attributes& public_key,
                               const Attributes& private_key) const;

  // GenerateKey is C_GenerateKey, of a secret key.
  Result<CK_OBJECT_HANDLE> GenerateKey(CK_MECHANISM_TYPE mechanism, const Attributes& key) const;

  // WrapKey and UnwrapKey are C_WrapKey and C_UnwrapKey, parameter the mechanism's own bytes.
  Result<std::vector<uint8_t>> WrapKey(CK_MECHANISM_TYPE mechanism, Bytes parameter,
                                       CK_OBJECT_HANDLE kek, CK_OBJECT_HANDLE key) const;
  Result<CK_OBJECT_HANDLE> UnwrapKey(CK_MECHANISM_TYPE mechanism, Bytes parameter,
                                     CK_OBJECT_HANDLE kek, Bytes wrapped,
                                     const Attributes& object) const;

  // Sign signs data, single-part, as mechanism wants it (a digest, DigestInfo or message). When the
  // key has CKA_ALWAYS_AUTHENTICATE, context_pin is logged in between C_SignInit and C_Sign.
  Result<std::vector<uint8_t>> Sign(CK_OBJECT_HANDLE private_key, CK_MECHANISM_TYPE mechanism,
                                    const std::optional<PssParameters>& pss, Bytes data,
                                    const Secret* context_pin = nullptr) const;

  // MechanismInfo is CK_MECHANISM_INFO of the session's slot; nothing when it is not offered.
  Result<std::optional<CK_MECHANISM_INFO>> MechanismInfo(CK_MECHANISM_TYPE mechanism) const;

  CK_SESSION_HANDLE handle() const { return handle_; }
  CK_SLOT_ID slot() const { return slot_; }
  const std::shared_ptr<Module>& module() const { return module_; }

 private:
  Session() = default;
  std::shared_ptr<Module> module_;
  CK_SLOT_ID slot_ = 0;
  CK_SESSION_HANDLE handle_ = CK_INVALID_HANDLE;
};

}  // namespace keybroker::token
