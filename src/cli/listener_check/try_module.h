#pragma once

#include <filesystem>
#include <vector>

#include "cli/listener_check/try_files.h"
#include "cli/reference_file.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// TryModule does what GnuTLS does with the files that `listener config` wrote to directory: a
// process that becomes the listener's user loads the library that keybroker.module names; and each
// PKCS#11 URI (RFC 7512) in the files beside it has to name one of targets. GnuTLS itself says of
// all that goes wrong there that the object is not available. Empty when there is no
// keybroker.module.
std::vector<TriedFile> TryModule(const std::filesystem::path& directory,
                                 const policy::Listener& listener,
                                 const std::vector<KeyTarget>& targets);

}  // namespace keybroker::cli
