#pragma once

#include <string_view>

#include "keybroker/cryptoki/cryptoki.h"
#include "module/socket_path.h"

namespace keybroker::module {

// InitArgs is what C_Initialize was told (PKCS#11 v2.40 section 5.4).
struct InitArgs {
  char text[sizeof "socket=" + kMaxSocketPath];
  std::string_view socket;  // points into text; empty: the host named none
};

// ReadInitArgs checks C_Initialize's argument. NULL is well. All of the host's locking functions or
// none; with all and without CKF_OS_LOCKING_OK they alone may be used: CKR_CANT_LOCK. pReserved is
// NULL or the text "socket=PATH"; anything else, even a pointer to nowhere, is CKR_ARGUMENTS_BAD.
CK_RV ReadInitArgs(const void* init_args, InitArgs* args);

}  // namespace keybroker::module
