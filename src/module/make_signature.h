#pragma once

#include "module/process.h"
#include "module/session.h"

namespace keybroker::module {

// MakeSignature has the broker sign data, in one round trip, and writes the signature, which is
// signature.size() bytes long. Errors as Ask; CKR_FUNCTION_FAILED for a signature of another
// length.
CK_RV MakeSignature(const Call& call, const SignOperation& operation, wire::Bytes data,
                    std::span<uint8_t> signature);

}  // namespace keybroker::module
