#include "keybroker/base/error.h"

#include <system_error>

namespace keybroker {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kDenied:
      return "denied";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kMalformed:
      return "malformed";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kTokenFailed:
      return "token-failed";
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kConflict:
      return "conflict";
  }
  return "unknown";
}

Error SystemError(std::string_view what, int errno_value, const char* file, int at) {
  // std::generic_category().message is strerror without its shared buffer.
  return Error{ErrorCode::kInternal, 0,
               std::string(what) + ": " + std::generic_category().message(errno_value), file, at};
}

}  // namespace keybroker
