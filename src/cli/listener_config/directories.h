#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// RememberDirectory puts down that a listener's files were written to a directory, in
// listeners/NAME.directories beside keybroker.toml, a path in each line, the latest last. The usual
// directory (ListenerDirectory) needs no remembering.
Status RememberDirectory(const config::Settings& settings, const std::string& listener,
                         const std::filesystem::path& directory);

// DirectoriesOf gives those, the latest first, then the usual one. A file that cannot be read
// counts as none: the answer only serves to say which command writes the files again.
std::vector<std::filesystem::path> DirectoriesOf(const config::Settings& settings,
                                                 const std::string& listener);

}  // namespace keybroker::cli
