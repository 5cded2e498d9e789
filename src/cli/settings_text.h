#pragma once

#include <string>
#include <string_view>

#include "keybroker/base/result.h"

namespace keybroker::cli {

// SetOption gives the line "KEY = ..." of a keybroker.toml's text another value, keeping every
// comment. An empty value changes nothing. Internal when the text has no such line, or two.
Status SetOption(std::string& text, std::string_view key, std::string_view value);

}  // namespace keybroker::cli
