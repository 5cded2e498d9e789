#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/token_child.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/config.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {

// ScratchPlace says what a folder may hold: session objects never reach it, objects of a token do.
enum class ScratchPlace { kPreferMemory, kOnlyMemory };

// ScratchWork is done by a process that loads no vendor's module, in a folder of its own.
using ScratchWork = std::function<Result<Json>(const std::filesystem::path& folder,
                                               const std::vector<Secret>& secrets)>;

// RunInScratchFolder does work, started by root, as a user that nothing else runs as: not the
// tokens' user, whose other processes, a vendor's module among them, could change what lies there.
// In a folder of that user's alone (mode 0700) in /dev/shm, else /tmp. The folder is removed with
// all that is in it, whatever becomes of work and of this process: SIGTERM and its like are held
// back over there until it is gone. Internal when it is still there. Unavailable when it must be in
// memory (tmpfs) and no such place is there.
Result<Json> RunInScratchFolder(ScratchPlace place, const std::vector<const Secret*>& secrets,
                                const ScratchWork& work);

// StartInScratchFolder begins that, AwaitScratch gives its result; several may run side by side,
// each as a user of its own.
Result<UserChild> StartInScratchFolder(ScratchPlace place,
                                       const std::vector<const Secret*>& secrets,
                                       const ScratchWork& work);
Result<Json> AwaitScratch(UserChild child);

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
