#include "keybroker/token/session.h"

#include <string.h>

#include <utility>

namespace keybroker::token {
namespace {

bool HasNoValue(CK_RV rv) {
  return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE;
}

// CheckStored is CheckRv for calls that write. SoftHSM has no other word for a full disk, and many
// tokens none for full memory, so the likeliest reason is named.
Status CheckStored(const char* what, CK_RV rv) {
  Status status = CheckRv(what, rv);
  const bool vague = rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED ||
                     rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_MEMORY;
  if (status || !vague) return status;
  Error error = std::move(status).error();
  error.detail +=
      ": the token did not store it. Is the token's memory full? For a token that is kept in "
      "files: is the disk full, or the folder not writable by the token user?";
  return Fail(std::move(error));
}

// A token that claims a larger attribute is broken or hostile.
constexpr CK_ULONG kMaxAttribute = 1 << 20;
constexpr size_t kFirstAttribute = 1024;

// Room for a wrapped RSA-4096 PKCS#8 (2,384 bytes) and then some.
constexpr size_t kMaxWrapped = 8192;

}  // namespace

Result<Session> Session::Open(std::shared_ptr<Module> module, CK_SLOT_ID slot, bool read_write) {
  Session session;
  const CK_FLAGS flags = CKF_SERIAL_SESSION | (read_write ? CKF_RW_SESSION : 0UL);
  KB_TRY(CheckRv("C_OpenSession",
                 module->api().C_OpenSession(slot, flags, nullptr, nullptr, &session.handle_)));
  session.module_ = std::move(module);
  session.slot_ = slot;
  return session;
}

Session::Session(Session&& other) noexcept { *this = std::move(other); }

Session& Session::operator=(Session&& other) noexcept {
  if (this == &other) return *this;
  if (module_ != nullptr) module_->api().C_CloseSession(handle_);
  module_ = std::exchange(other.module_, nullptr);
  slot_ = other.slot_;
  handle_ = std::exchange(other.handle_, CK_INVALID_HANDLE);
  return *this;
}

Session::~Session() {
  if (module_ != nullptr) module_->api().C_CloseSession(handle_);
}

Result<std::vector<CK_OBJECT_HANDLE>> Session::Find(const Attributes& match) const {
  const CK_FUNCTION_LIST& api = module_->api();
  auto list = match.Template();
  KB_TRY(CheckRv("C_FindObjectsInit", api.C_FindObjectsInit(handle_, list.data(), list.size())));
  std::vector<CK_OBJECT_HANDLE> found;
  CK_RV rv = CKR_OK;
  for (;;) {
    CK_OBJECT_HANDLE batch[64];
    CK_ULONG count = 0;
    rv = api.C_FindObjects(handle_, batch, 64, &count);
    if (rv != CKR_OK || count == 0 || count > 64) break;
    found.insert(found.end(), batch, batch + count);
  }
  api.C_FindObjectsFinal(handle_);
  KB_TRY(CheckRv("C_FindObjects", rv));
  return found;
}

Result<std::optional<std::vector<uint8_t>>> Session::Read(CK_OBJECT_HANDLE object,
                                                          CK_ATTRIBUTE_TYPE type) const {
  const CK_FUNCTION_LIST& api = module_->api();
  // Most fit at once: asking for the length first costs a token that is asked for everything as
  // much again.
  std::vector<uint8_t> value(kFirstAttribute);
  CK_ATTRIBUTE attribute{type, value.data(), value.size()};
  CK_RV rv = api.C_GetAttributeValue(handle_, object, &attribute, 1);
  if (rv == CKR_BUFFER_TOO_SMALL) {
    attribute = {type, nullptr, 0};
    rv = api.C_GetAttributeValue(handle_, object, &attribute, 1);
    if (rv == CKR_OK && attribute.ulValueLen != CK_UNAVAILABLE_INFORMATION) {
      if (attribute.ulValueLen > kMaxAttribute) {
        return Fail(TokenFailed("the token claims an attribute of absurd length"));
      }
      value.resize(attribute.ulValueLen);
      attribute.pValue = value.data();
      rv = api.C_GetAttributeValue(handle_, object, &attribute, 1);
    }
  }
  if (HasNoValue(rv) || (rv == CKR_OK && attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION)) {
    return std::nullopt;
  }
  KB_TRY(CheckRv("C_GetAttributeValue", rv));
  if (attribute.ulValueLen > value.size()) {
    return Fail(TokenFailed("the token returned more of an attribute than it announced"));
  }
  value.resize(attribute.ulValueLen);
  return value;
}

Result<std::optional<bool>> Session::ReadBool(CK_OBJECT_HANDLE object,
                                              CK_ATTRIBUTE_TYPE type) const {
  KB_ASSIGN(const auto value, Read(object, type));
  if (!value || value->size() != sizeof(CK_BBOOL)) return std::nullopt;
  return (*value)[0] != CK_FALSE;
}

Result<std::optional<CK_ULONG>> Session::ReadUlong(CK_OBJECT_HANDLE object,
                                                   CK_ATTRIBUTE_TYPE type) const {
  KB_ASSIGN(const auto value, Read(object, type));
  if (!value || value->size() != sizeof(CK_ULONG)) return std::nullopt;
  CK_ULONG number = 0;
  memcpy(&number, value->data(), sizeof number);
  return number;
}

Result<CK_OBJECT_HANDLE> Session::Create(const Attributes& object) const {
  auto list = object.Template();
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  KB_TRY(CheckStored("C_CreateObject",
                     module_->api().C_CreateObject(handle_, list.data(), list.size(), &handle)));
  return handle;
}

Result<CK_OBJECT_HANDLE> Session::CreateSecret(const Attributes& object,
                                               const Secret& value) const {
  auto list = object.Template();
  const auto bytes = value.Expose();
  list.push_back({CKA_VALUE, const_cast<uint8_t*>(bytes.data()), bytes.size()});
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  KB_TRY(CheckStored("C_CreateObject",
                     module_->api().C_CreateObject(handle_, list.data(), list.size(), &handle)));
  return handle;
}

Status Session::Set(CK_OBJECT_HANDLE object, const Attributes& values) const {
  auto list = values.Template();
  return CheckStored("C_SetAttributeValue",
                     module_->api().C_SetAttributeValue(handle_, object, list.data(), list.size()));
}

Status Session::Destroy(CK_OBJECT_HANDLE object) const {
  return CheckStored("C_DestroyObject", module_->api().C_DestroyObject(handle_, object));
}

Result<Session::Pair> Session::GenerateKeyPair(CK_MECHANISM_TYPE mechanism,
                                               const Attributes& public_key,
                                               const Attributes& private_key) const {
  CK_MECHANISM how{mechanism, nullptr, 0};
  auto public_list = public_key.Template();
  auto private_list = private_key.Template();
  Pair pair{};
  KB_TRY(CheckStored("C_GenerateKeyPair",
                     module_->api().C_GenerateKeyPair(
                         handle_, &how, public_list.data(), public_list.size(), private_list.data(),
                         private_list.size(), &pair.public_key, &pair.private_key)));
  return pair;
}

Result<CK_OBJECT_HANDLE> Session::GenerateKey(CK_MECHANISM_TYPE mechanism,
                                              const Attributes& key) const {
  CK_MECHANISM how{mechanism, nullptr, 0};
  auto list = key.Template();
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  KB_TRY(CheckStored("C_GenerateKey", module_->api().C_GenerateKey(handle_, &how, list.data(),
                                                                   list.size(), &handle)));
  return handle;
}

Result<std::vector<uint8_t>> Session::WrapKey(CK_MECHANISM_TYPE mechanism, Bytes parameter,
                                              CK_OBJECT_HANDLE kek, CK_OBJECT_HANDLE key) const {
  CK_MECHANISM how{mechanism, const_cast<uint8_t*>(parameter.data()), parameter.size()};
  std::vector<uint8_t> wrapped(kMaxWrapped);
  CK_ULONG size = wrapped.size();
  KB_TRY(CheckRv("C_WrapKey",
                 module_->api().C_WrapKey(handle_, &how, kek, key, wrapped.data(), &size)));
  if (size > wrapped.size()) return Fail(TokenFailed("the token claims an absurd wrapped key"));
  wrapped.resize(size);
  return wrapped;
}

Result<CK_OBJECT_HANDLE> Session::UnwrapKey(CK_MECHANISM_TYPE mechanism, Bytes parameter,
                                            CK_OBJECT_HANDLE kek, Bytes wrapped,
                                            const Attributes& object) const {
  CK_MECHANISM how{mechanism, const_cast<uint8_t*>(parameter.data()), parameter.size()};
  auto list = object.Template();
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  KB_TRY(CheckRv("C_UnwrapKey", module_->api().C_UnwrapKey(
                                    handle_, &how, kek, const_cast<uint8_t*>(wrapped.data()),
                                    wrapped.size(), list.data(), list.size(), &handle)));
  return handle;
}

Result<std::optional<CK_MECHANISM_INFO>> Session::MechanismInfo(CK_MECHANISM_TYPE mechanism) const {
  CK_MECHANISM_INFO info{};
  const CK_RV rv = module_->api().C_GetMechanismInfo(slot_, mechanism, &info);
  if (rv == CKR_MECHANISM_INVALID) return std::nullopt;
  KB_TRY(CheckRv("C_GetMechanismInfo", rv));
  return info;
}

}  // namespace keybroker::token
