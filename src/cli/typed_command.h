#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keybroker::cli {

// WithConfig gives every command in text (`keybroker WORD ...`, WORD one of words) the option
// --config CONFIG that the command now running was given, quoted for a shell, so that what is
// printed can be typed as it stands.
std::string WithConfig(std::string_view text, const std::string& config,
                       const std::vector<std::string>& words);

}  // namespace keybroker::cli
