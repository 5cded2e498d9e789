#include "support/pkcs11_client.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include "keybroker/base/secret_file.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::test {
namespace {

Status Check(const char* what, CK_RV rv) {
  if (rv == CKR_OK) return {};
  return Fail(TokenFailed(std::string(what) + ": " + cryptoki::RvName(rv), rv));
}

std::string_view Unpadded(const CK_UTF8CHAR* text, size_t size) {
  std::string_view view(reinterpret_cast<const char*>(text), size);
  return view.substr(0, view.find_last_not_of(' ') + 1);
}

CK_ATTRIBUTE Attribute(CK_ATTRIBUTE_TYPE type, void* value, size_t size) {
  return CK_ATTRIBUTE{type, value, static_cast<CK_ULONG>(size)};
}

}  // namespace

Result<Pkcs11Client> Pkcs11Client::Open(const Target& target) {
  Pkcs11Client client;
  KB_TRY(client.Load(target));
  KB_TRY(client.OpenSession(target));
  if (!target.label.empty()) KB_TRY(client.FindKey(target));
  client.data_.resize(Digest().size());
  client.mechanism_.mechanism = CKM_ECDSA;
  if (target.rsa) {
    client.mechanism_.mechanism = CKM_RSA_PKCS;
    auto prefix = cryptoki::DigestInfoPrefix(cryptoki::Digest::kSha256);
    client.data_.insert(client.data_.begin(), prefix.begin(), prefix.end());
  }
  return client;
}

Status Pkcs11Client::Load(const Target& target) {
  void* library = dlopen(target.module.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return Fail(NotFound(dlerror()));
  auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr) return Fail(Malformed(target.module + " is not a PKCS#11 module"));
  KB_TRY(Check("C_GetFunctionList", get(&p11_)));
  std::string reserved = target.reserved;
  CK_C_INITIALIZE_ARGS args{};
  args.flags = CKF_OS_LOCKING_OK;
  if (!reserved.empty()) args.pReserved = reserved.data();
  return Check("C_Initialize", p11_->C_Initialize(&args));
}

Status Pkcs11Client::OpenSession(const Target& target) {
  std::array<CK_SLOT_ID, 64> slots{};
  CK_ULONG count = slots.size();
  KB_TRY(Check("C_GetSlotList", p11_->C_GetSlotList(CK_TRUE, slots.data(), &count)));
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    KB_TRY(Check("C_GetTokenInfo", p11_->C_GetTokenInfo(slots[i], &info)));
    if (Unpadded(info.label, sizeof info.label) != target.token) continue;
    CK_FLAGS flags = CKF_SERIAL_SESSION;
    if (target.label.empty()) flags |= CKF_RW_SESSION;
    KB_TRY(
        Check("C_OpenSession", p11_->C_OpenSession(slots[i], flags, nullptr, nullptr, &session_)));
    if (target.pin_file.empty()) return {};
    KB_ASSIGN(Secret pin, ReadSecretFile(target.pin_file));
    auto* bytes = const_cast<uint8_t*>(pin.Expose().data());
    CK_RV rv = p11_->C_Login(session_, CKU_USER, bytes, static_cast<CK_ULONG>(pin.size()));
    return rv == CKR_USER_ALREADY_LOGGED_IN ? Status{} : Check("C_Login", rv);
  }
  return Fail(NotFound("no token is labelled " + target.token));
}

Status Pkcs11Client::FindKey(const Target& target) {
  CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY;
  CK_KEY_TYPE type = target.rsa ? CKK_RSA : CKK_EC;
  std::string label = target.label;
  std::array<CK_ATTRIBUTE, 3> match = {
      Attribute(CKA_CLASS, &object_class, sizeof object_class),
      Attribute(CKA_KEY_TYPE, &type, sizeof type),
      Attribute(CKA_LABEL, label.data(), label.size()),
  };
  KB_TRY(Check("C_FindObjectsInit", p11_->C_FindObjectsInit(session_, match.data(), match.size())));
  CK_ULONG found = 0;
  KB_TRY(Check("C_FindObjects", p11_->C_FindObjects(session_, &key_, 1, &found)));
  KB_TRY(Check("C_FindObjectsFinal", p11_->C_FindObjectsFinal(session_)));
  return found == 1 ? Status{} : Fail(NotFound("no private key is labelled " + target.label));
}

Status Pkcs11Client::Sign(const Digest& digest) {
  std::copy(digest.begin(), digest.end(), data_.end() - std::ssize(digest));
  signature_.resize(512);
  auto size = static_cast<CK_ULONG>(signature_.size());
  KB_TRY(Check("C_SignInit", p11_->C_SignInit(session_, &mechanism_, key_)));
  KB_TRY(Check("C_Sign", p11_->C_Sign(session_, data_.data(), static_cast<CK_ULONG>(data_.size()),
                                      signature_.data(), &size)));
  signature_.resize(size);
  return {};
}

Result<std::vector<uint8_t>> Pkcs11Client::Read(CK_ATTRIBUTE_TYPE type) const {
  std::vector<uint8_t> value(64);
  CK_ATTRIBUTE attribute = Attribute(type, value.data(), value.size());
  KB_TRY(Check("C_GetAttributeValue", p11_->C_GetAttributeValue(session_, key_, &attribute, 1)));
  value.resize(attribute.ulValueLen);
  return value;
}

Status Pkcs11Client::GenerateEc(const std::string& prefix, unsigned count) {
  std::array<CK_BYTE, 10> curve = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  CK_BBOOL yes = CK_TRUE;
  CK_MECHANISM generate{CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  for (unsigned i = 0; i < count; ++i) {
    std::string label = prefix + std::to_string(i) + ".example.test";
    std::string id = label;
    std::array<CK_ATTRIBUTE, 4> public_key = {
        Attribute(CKA_EC_PARAMS, curve.data(), curve.size()),
        Attribute(CKA_TOKEN, &yes, sizeof yes),
        Attribute(CKA_LABEL, label.data(), label.size()),
        Attribute(CKA_ID, id.data(), id.size()),
    };
    std::array<CK_ATTRIBUTE, 5> private_key = {
        Attribute(CKA_TOKEN, &yes, sizeof yes),  Attribute(CKA_SENSITIVE, &yes, sizeof yes),
        Attribute(CKA_SIGN, &yes, sizeof yes),   Attribute(CKA_LABEL, label.data(), label.size()),
        Attribute(CKA_ID, id.data(), id.size()),
    };
    CK_OBJECT_HANDLE made_public = 0;
    CK_OBJECT_HANDLE made_private = 0;
    KB_TRY(Check("C_GenerateKeyPair",
                 p11_->C_GenerateKeyPair(session_, &generate, public_key.data(), public_key.size(),
                                         private_key.data(), private_key.size(), &made_public,
                                         &made_private)));
  }
  return {};
}

}  // namespace keybroker::test
