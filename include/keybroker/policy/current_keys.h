#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::policy {

// CurrentKeys says which generation of each (key name, type) is current: CKA_ID in lower-case hex.
// A pair that is not listed has as its current key the only one there is; with several, none.
struct CurrentKeys {
  std::map<std::pair<std::string, cryptoki::KeyType>, std::string> ids;
};

// ParseCurrentKeys reads current.toml: a table per key name with the keys rsa and ec.
Result<CurrentKeys> ParseCurrentKeys(std::string_view text, std::string_view file);

// FormatCurrentKeys writes it, sorted.
std::string FormatCurrentKeys(const CurrentKeys& current);

}  // namespace keybroker::policy
