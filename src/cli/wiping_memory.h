#pragma once

#include "keybroker/base/result.h"

namespace keybroker::cli {

// WipeOpenSslMemory has OpenSSL overwrite whatever it gives back: it frees parts of keys and
// passwords as they are, and a process with a vendor's module in it is forked off with a copy of
// this one's memory. To be called before OpenSSL has taken any memory
// (CRYPTO_set_mem_functions(3)).
Status WipeOpenSslMemory();

}  // namespace keybroker::cli
