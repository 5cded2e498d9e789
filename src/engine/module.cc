#include "engine/module.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "engine/absence.h"
#include "engine/engine_error.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::engine {
namespace {

// The function list of the shared object, or nullptr and raised.
CK_FUNCTION_LIST* FunctionList(void* object, const char* path) {
  void* symbol = dlsym(object, "C_GetFunctionList");
  if (symbol == nullptr) {
    KB_RAISE(Reason::kNotAModule, "%s has no C_GetFunctionList; correct MODULE_PATH", path);
    return nullptr;
  }
  CK_FUNCTION_LIST* functions = nullptr;
  CK_RV rv = reinterpret_cast<CK_C_GetFunctionList>(symbol)(&functions);
  if (rv == CKR_OK && functions != nullptr) return functions;
  KB_RAISE(Reason::kNotAModule, "%s: C_GetFunctionList gave %s", path, cryptoki::RvName(rv));
  return nullptr;
}

// CK_TOKEN_INFO's label is padded with blanks (PKCS#11 v2.40 section 3.2).
bool HasLabel(const CK_TOKEN_INFO& info, std::string_view label) {
  std::string_view padded(reinterpret_cast<const char*>(info.label), sizeof info.label);
  size_t end = padded.find_last_not_of(' ');
  return padded.substr(0, end == std::string_view::npos ? 0 : end + 1) == label;
}

std::string HexId(const std::string& id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (char c : id) {
    auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15U];
  }
  return text;
}

// The private key with this CKA_ID; CK_INVALID_HANDLE when there is none.
CK_RV FindById(CK_FUNCTION_LIST& functions, CK_SESSION_HANDLE session, std::string id,
               CK_OBJECT_HANDLE* handle) {
  CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY;
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &object_class, sizeof object_class},
                           {CKA_ID, id.data(), id.size()}};
  CK_RV rv = functions.C_FindObjectsInit(session, wanted, 2);
  if (rv != CKR_OK) return rv;
  CK_ULONG count = 0;
  rv = functions.C_FindObjects(session, handle, 1, &count);
  functions.C_FindObjectsFinal(session);
  if (rv == CKR_OK && count == 0) *handle = CK_INVALID_HANDLE;
  return rv;
}

}  // namespace

bool Module::Open(const std::string& path) {
  const char* name = path.c_str();
  if (functions_ != nullptr) {
    if (path == path_) return true;
    return KB_RAISE(Reason::kNotAModule, "MODULE_PATH is now %s, but this process uses %s", name,
                    path_.c_str());
  }
  if (path.empty() || path.front() != '/') {
    return KB_RAISE(Reason::kModuleMissing, "MODULE_PATH \"%s\" is not an absolute path", name);
  }
  if (access(name, F_OK) != 0) {
    return KB_RAISE(Reason::kModuleMissing, "%s: %s; correct MODULE_PATH", name, strerror(errno));
  }
  void* object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) return KB_RAISE(Reason::kNotAModule, "%s", dlerror());
  functions_ = FunctionList(object, name);
  if (functions_ == nullptr) {
    dlclose(object);
    return false;
  }
  path_ = path;
  return true;
}

bool Module::Initialize(const credential::Reference& reference) {
  if (initialized_ && reference.socket != socket_) {
    return KB_RAISE(Reason::kOtherSocket,
                    "the reference names socket \"%s\", but this process already uses \"%s\": one "
                    "process is one listener",
                    reference.socket.c_str(), socket_.c_str());
  }
  socket_ = reference.socket;
  init_args_ = socket_.empty() ? "" : "socket=" + socket_;
  // Before each key: a process that forked must initialise anew; where it is done it is free.
  CK_RV rv = CallInitialize();
  if (rv == CKR_OK) return true;
  return KB_RAISE(Reason::kModuleFailed, "%s: C_Initialize gave %s", path_.c_str(),
                  cryptoki::RvName(rv));
}

CK_RV Module::CallInitialize() const {
  CK_C_INITIALIZE_ARGS args{};
  args.flags = CKF_OS_LOCKING_OK;
  args.pReserved = const_cast<char*>(init_args());
  CK_RV rv = functions_->C_Initialize(&args);
  return rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? CKR_OK : rv;
}

bool Module::FindSlot(CK_SLOT_ID* slot) const {
  CK_ULONG count = 0;
  CK_RV rv = functions_->C_GetSlotList(CK_TRUE, nullptr, &count);
  std::vector<CK_SLOT_ID> slots(count);
  if (rv == CKR_OK) rv = functions_->C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (rv != CKR_OK) return RaiseAbsence(socket_, "C_GetSlotList", rv);
  slots.resize(count);
  for (CK_SLOT_ID candidate : slots) {
    CK_TOKEN_INFO info;
    rv = functions_->C_GetTokenInfo(candidate, &info);
    if (rv != CKR_OK || !HasLabel(info, credential::kReferenceToken)) continue;
    *slot = candidate;
    return true;
  }
  if (rv != CKR_OK || slots.empty()) return RaiseAbsence(socket_, "C_GetTokenInfo", rv);
  return KB_RAISE(Reason::kTokenAway, "%s has tokens, but none with the label keybroker",
                  path_.c_str());
}

bool Module::FindKey(const credential::Reference& reference, TokenKey* key) {
  if (!FindSlot(&key->slot)) return false;
  CK_SESSION_HANDLE session;
  CK_RV rv = functions_->C_OpenSession(key->slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
  if (rv != CKR_OK) return RaiseAbsence(socket_, "C_OpenSession", rv);
  key->id = reference.id;
  rv = FindById(*functions_, session, key->id, &key->handle);
  functions_->C_CloseSession(session);
  if (rv != CKR_OK) return RaiseAbsence(socket_, "C_FindObjects", rv);
  if (key->handle == CK_INVALID_HANDLE) {
    return KB_RAISE(Reason::kKeyNotFound,
                    "this listener is shown no private key with id %s; see: keybroker key list, "
                    "keybroker listener show",
                    HexId(reference.id).c_str());
  }
  initialized_ = true;
  return true;
}

CK_RV Module::SignInit(CK_SESSION_HANDLE session, const TokenKey& key,
                       CK_MECHANISM* mechanism) const {
  const CK_RV rv = functions_->C_SignInit(session, mechanism, key.handle);
  if (rv != CKR_KEY_HANDLE_INVALID && rv != CKR_OBJECT_HANDLE_INVALID) return rv;
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  if (FindById(*functions_, session, key.id, &handle) != CKR_OK || handle == CK_INVALID_HANDLE) {
    return rv;
  }
  return functions_->C_SignInit(session, mechanism, handle);
}

// The module answers C_SignInit from what the listener was shown: asking for a way that no binding
// permits costs no message.
CK_RV Module::SignOnce(const TokenKey& key, std::span<const SignWay> ways, unsigned char* signature,
                       size_t* size) const {
  CK_SESSION_HANDLE session;
  CK_RV rv = functions_->C_OpenSession(key.slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
  if (rv != CKR_OK) return rv;
  rv = CKR_MECHANISM_INVALID;
  for (const SignWay& way : ways) {
    CK_ULONG length = *size;
    rv = SignInit(session, key, way.mechanism);
    if (rv == CKR_OK) {
      rv = functions_->C_Sign(session, const_cast<unsigned char*>(way.data.data()), way.data.size(),
                              signature, &length);
    }
    if (rv == CKR_OK) *size = length;
    if (rv != CKR_MECHANISM_INVALID) break;
  }
  functions_->C_CloseSession(session);
  return rv;
}

bool Module::Sign(const TokenKey& key, std::span<const SignWay> ways, unsigned char* signature,
                  size_t* size) const {
  if (functions_ == nullptr) return RaiseNoSignature(socket_, CKR_CRYPTOKI_NOT_INITIALIZED);
  CK_RV rv = SignOnce(key, ways, signature, size);
  // The first signature after a fork: PKCS#11 v2.40 section 6.6 has the child initialise anew.
  if (rv == CKR_CRYPTOKI_NOT_INITIALIZED) {
    rv = CallInitialize();
    if (rv == CKR_OK) rv = SignOnce(key, ways, signature, size);
  }
  return rv == CKR_OK || RaiseNoSignature(socket_, rv);
}

}  // namespace keybroker::engine
