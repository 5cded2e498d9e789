#pragma once

#include <cstdint>

namespace keybroker {

// kKdfFloor is the least number of PBKDF2-HMAC-SHA256 iterations (RFC 8018) that anything of ours
// is written with. A build with a sanitizer is for tests and is never installed: each iteration
// costs it ten times as much, and shows it nothing that the first did not.
#if KB_SANITIZED
inline constexpr uint32_t kKdfFloor = 6'000;
#else
inline constexpr uint32_t kKdfFloor = 600'000;
#endif

}  // namespace keybroker
