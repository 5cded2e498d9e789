#pragma once

#include <cstddef>
#include <string_view>

namespace keybroker {

// Utf8Sequence is the length in bytes, 1 to 4, of the well-formed UTF-8 sequence that text begins
// with (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF); 0 when there is none.
size_t Utf8Sequence(std::string_view text);

}  // namespace keybroker
