#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"

namespace keybroker {

// Hex is the lower-case hexadecimal form of bytes, two digits each, no separators.
std::string Hex(std::span<const uint8_t> bytes);

// ParseHex reads what Hex writes, in either case. Fails Malformed on an odd length or any other
// character.
Result<std::vector<uint8_t>> ParseHex(std::string_view text);

}  // namespace keybroker
