#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/token/config.h"

namespace keybroker::token {

// CheckRv turns a CK_RV into a Status: TokenFailed "WHAT: CKR_NAME" with rv, or a better code where
// the CK_RV says one (CKR_TOKEN_NOT_PRESENT: Unavailable; CKR_PIN_INCORRECT, CKR_PIN_LOCKED:
// Denied).
Status CheckRv(const char* what, CK_RV rv);

// Module is a loaded and initialised vendor module. The last owner calls C_Finalize; the library
// stays mapped. The only place of the project that dlopens one.
class Module {
 public:
  // Load sets the configured environment, loads the file, and calls C_Initialize with
  // CKF_OS_LOCKING_OK and init_args as pReserved. NotFound: no such file. Malformed: not a PKCS#11
  // module. Start-up failures that the profile facts call transient are retried, PIN errors never.
  static Result<std::shared_ptr<Module>> Load(const TokenConfig& config);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const CK_FUNCTION_LIST& api() const { return *api_; }

  // Slots lists slot ids, only those with a token when with_token.
  Result<std::vector<CK_SLOT_ID>> Slots(bool with_token) const;

 private:
  Module() = default;
  CK_FUNCTION_LIST* api_ = nullptr;
  bool initialised_ = false;
};

}  // namespace keybroker::token
