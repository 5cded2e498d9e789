#include "keybroker/token/module.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cerrno>

namespace keybroker::token {
namespace {

// SoftHSM 2.6.1 fails some starts when several processes start at once (measured).
bool IsTransient(CK_RV rv) {
  return rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED || rv == CKR_TOKEN_NOT_RECOGNIZED;
}

constexpr const char* kNameTheModule =
    "; \"module\" in the token's file must name the vendor's PKCS#11 module";

Status CheckFile(const std::filesystem::path& path) {
  struct stat info {};
  const bool there = ::stat(path.c_str(), &info) == 0;
  if (!there && (errno == EACCES || errno == EPERM)) {
    return Fail(Denied("the token user may not reach " + path.string() +
                       "; let it search every directory above, and read the file"));
  }
  if (!there) return Fail(NotFound("there is no file " + path.string() + kNameTheModule));
  if (!S_ISREG(info.st_mode))
    return Fail(Malformed(path.string() + " is no file" + kNameTheModule));
  return {};
}

// DlErrorAfter is dlerror(3) without the path that it begins with: our own message names it.
std::string DlErrorAfter(const std::filesystem::path& path) {
  const char* why = ::dlerror();
  std::string text = why != nullptr ? why : "unknown reason";
  const std::string prefix = path.string() + ": ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

Result<CK_FUNCTION_LIST*> LoadFunctionList(const std::filesystem::path& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return Fail(
        Malformed(path.string() + " cannot be loaded: " + DlErrorAfter(path) + kNameTheModule));
  }
  auto* get_list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* api = nullptr;
  if (get_list == nullptr || get_list(&api) != CKR_OK || api == nullptr) {
    return Fail(Malformed(path.string() + " is not a PKCS#11 module: it has no C_GetFunctionList" +
                          kNameTheModule));
  }
  return api;
}

// DidNotStart says where to look: a module that does not find its own configuration, token folder
// or device says no more than CKR_GENERAL_ERROR.
Error DidNotStart(const TokenConfig& config, Error error) {
  error.detail = config.module.string() + " does not start: " + error.detail +
                 "; look at what the vendor's module needs: its configuration and token files, " +
                 "readable by the token user, and in the token's file ";
  // The names only: a value may be a password, whatever the file's first line says.
  std::string names;
  for (const auto& [name, value] : config.environment) names += (names.empty() ? "" : ", ") + name;
  error.detail += "[token.environment] (" + (names.empty() ? "none" : names) + ") and init_args";
  return error;
}

// Initialise tells whether it was this call that initialised the module, and so owes a C_Finalize.
Result<bool> Initialise(const CK_FUNCTION_LIST& api, const std::string& init_args) {
  CK_C_INITIALIZE_ARGS args{};
  args.flags = CKF_OS_LOCKING_OK;
  std::string reserved = init_args;
  if (!reserved.empty()) args.pReserved = reserved.data();
  CK_RV rv = CKR_OK;
  timespec pause{0, 20'000'000};
  for (int attempt = 0; attempt < 6; ++attempt) {
    rv = api.C_Initialize(&args);
    if (!IsTransient(rv)) break;
    ::nanosleep(&pause, nullptr);
    pause.tv_nsec *= 2;
  }
  if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) return false;
  KB_TRY(CheckRv("C_Initialize", rv));
  return true;
}

}  // namespace

Result<std::shared_ptr<Module>> Module::Load(const TokenConfig& config) {
  KB_TRY(CheckFile(config.module));
  for (const auto& [name, value] : config.environment) ::setenv(name.c_str(), value.c_str(), 1);
  KB_ASSIGN(CK_FUNCTION_LIST * api, LoadFunctionList(config.module));
  const auto initialised = Initialise(*api, config.init_args);
  if (!initialised) return Fail(DidNotStart(config, initialised.error()));
  std::shared_ptr<Module> module(new Module());
  module->api_ = api;
  module->initialised_ = *initialised;
  return module;
}

Module::~Module() {
  if (initialised_) api_->C_Finalize(nullptr);
}

Result<std::vector<CK_SLOT_ID>> Module::Slots(bool with_token) const {
  const CK_BBOOL present = with_token ? CK_TRUE : CK_FALSE;
  std::vector<CK_SLOT_ID> slots;
  // A slot may appear between the two calls: ask again then.
  for (;;) {
    CK_ULONG count = 0;
    KB_TRY(CheckRv("C_GetSlotList", api_->C_GetSlotList(present, nullptr, &count)));
    slots.resize(count);
    const CK_RV rv = api_->C_GetSlotList(present, slots.data(), &count);
    if (rv == CKR_BUFFER_TOO_SMALL) continue;
    KB_TRY(CheckRv("C_GetSlotList", rv));
    slots.resize(count);
    return slots;
  }
}

}  // namespace keybroker::token
