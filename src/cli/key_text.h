#pragma once

#include <string>

#include "cli/answer.h"

namespace keybroker::cli {

// These lay out for a person what KeyJson (key_choice.h) holds.
std::string GeneratedText(const Json& key, const std::string& token);
// The table has a column for the token where there are several.
std::string KeyTable(const Json& keys, bool several_tokens);
std::string KeyText(const Json& key);

}  // namespace keybroker::cli
