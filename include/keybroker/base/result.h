#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "keybroker/base/error.h"

namespace keybroker {

// Result<T> is a T or the Error (seldom another E) that prevented it. It adds one thing to
// tl::expected: it may not be discarded, which is an error of the compiler
// (tests/unit/base/discarded_result.cc).
template <typename T, typename E = Error>
class [[nodiscard]] Result : public tl::expected<T, E> {
 public:
  using tl::expected<T, E>::expected;
};

// Status is the Result of what yields no value.
using Status = Result<void>;

// Fail makes the failed Result: return Fail(NotFound("...")).
inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

// KB_TRY(expr) returns the error of a Status or Result expression to the caller.
#define KB_TRY(expr)                                              \
  do {                                                            \
    if (auto kb_try_result = (expr); !kb_try_result) {            \
      return ::keybroker::Fail(std::move(kb_try_result).error()); \
    }                                                             \
  } while (false)

#define KB_CONCAT_INNER(a, b) a##b
#define KB_CONCAT(a, b) KB_CONCAT_INNER(a, b)

// KB_ASSIGN(auto x, expr) declares x as the value of a Result, or returns its error.
#define KB_ASSIGN(declaration, expr)                                              \
  auto KB_CONCAT(kb_result_, __LINE__) = (expr);                                  \
  if (!KB_CONCAT(kb_result_, __LINE__)) {                                         \
    return ::keybroker::Fail(std::move(KB_CONCAT(kb_result_, __LINE__)).error()); \
  }                                                                               \
  declaration = std::move(*KB_CONCAT(kb_result_, __LINE__))

}  // namespace keybroker
