#pragma once

#include "cli/key_birth.h"

namespace keybroker::cli {

// GenerateOnScratch has a scratch token in memory make the key, wrap it under kek by what birth's
// token unwraps, and end: "key" (KeyJson), "wrapped" (WrappedJson) and "exposure" (of Born).
Result<Json> GenerateOnScratch(const token::KeySpec& spec, const Birth& birth, const Secret& kek);

}  // namespace keybroker::cli
