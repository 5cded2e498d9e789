#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace keybroker {

// ErrorCode is the closed set of failures; it is all of an Error, beside the CK_RV, that a peer
// may see. Its numeric values travel on the wire (docs/protocol.md, Failure).
enum class ErrorCode : unsigned short {
  kDenied = 1,       // policy, permissions or the PIN guard said no
  kNotFound = 2,     // the named thing does not exist
  kMalformed = 3,    // bytes, arguments or a file that do not parse or do not fit
  kUnavailable = 4,  // broker, tokenhost or token is away; trying again may help
  kTokenFailed = 5,  // the token answered with a CK_RV that is not CKR_OK
  kInternal = 6,     // a system call or an invariant failed
  kConflict = 7,     // the thing exists already, or is in use by another
};

// ErrorCodeName is the code's word in logs and --json output, such as "not-found".
std::string_view ErrorCodeName(ErrorCode code);

// Error is a failure as a value. detail says what happened, why and what to do next; it is for
// the operator, is logged once at the process boundary, and never crosses a socket to a listener.
// rv is the CK_RV (PKCS#11 v2.40 section 3.6) when a token gave one, else 0. origin is where the
// error was made: a string with static lifetime.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  unsigned long rv = 0;
  std::string detail;
  const char* origin = "";
  int line = 0;
};

// One maker per code. The default arguments record the caller's file and line.
#define KB_ERROR_MAKER(name, code_value)                                                           \
  inline Error name(std::string detail, unsigned long rv = 0, const char* file = __builtin_FILE(), \
                    int at = __builtin_LINE()) {                                                   \
    return Error{code_value, rv, std::move(detail), file, at};                                     \
  }
KB_ERROR_MAKER(Denied, ErrorCode::kDenied)
KB_ERROR_MAKER(NotFound, ErrorCode::kNotFound)
KB_ERROR_MAKER(Malformed, ErrorCode::kMalformed)
KB_ERROR_MAKER(Unavailable, ErrorCode::kUnavailable)
KB_ERROR_MAKER(TokenFailed, ErrorCode::kTokenFailed)
KB_ERROR_MAKER(Internal, ErrorCode::kInternal)
KB_ERROR_MAKER(Conflict, ErrorCode::kConflict)
#undef KB_ERROR_MAKER

// SystemError is an Internal error for a failed system call: "WHAT: strerror(errno_value)".
Error SystemError(std::string_view what, int errno_value, const char* file = __builtin_FILE(),
                  int at = __builtin_LINE());

}  // namespace keybroker
