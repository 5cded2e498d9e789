#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/token_child.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/config.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {

// RunVendorPart is for what ScratchWork wants of SoftHSM: a further process loads it, and is ended
// when a call hangs.
Result<Json> RunVendorPart(const std::vector<const Secret*>& secrets, const TokenWork& work);

// RandomPin has 128 random bits.
Result<Secret> RandomPin();

// ScratchTokenConfig writes what SoftHSM2 needs into folder, and gives the configuration of a token
// "drill" there, without a source for its PIN.
Result<token::TokenConfig> ScratchTokenConfig(const std::filesystem::path& folder,
                                              const std::string& module);

// MakeScratchToken initialises that token, with a random SO PIN that nobody keeps, and logs in.
Result<token::Token> MakeScratchToken(const token::TokenConfig& config,
                                      const std::filesystem::path& folder, const Secret& pin);

}  // namespace keybroker::cli
