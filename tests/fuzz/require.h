#pragma once

#include <cstdlib>

namespace keybroker::test {

// Require ends the process where a property does not hold; the fuzzer then keeps the input.
inline void Require(bool holds) {
  if (!holds) abort();
}

}  // namespace keybroker::test
