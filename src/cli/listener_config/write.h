#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/listener_config/files.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// WriteConfigFiles writes the files in their order, each in one rename, into a directory that it
// makes when it is missing, and gives for each "wrote", "replaced", or "unchanged" when the same
// bytes are there already. Conflict, before anything is written, when a file in the way is not one
// of ours: above all no private key and no server's own configuration is ever replaced.
Result<std::vector<std::string>> WriteConfigFiles(const std::filesystem::path& directory,
                                                  const std::vector<ConfigFile>& files);

}  // namespace keybroker::cli
