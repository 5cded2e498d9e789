#include "module/failure.h"

namespace keybroker::module {
namespace {

constexpr CK_RV kPassedOn[] = {
    CKR_HOST_MEMORY,           CKR_GENERAL_ERROR,
    CKR_FUNCTION_FAILED,       CKR_ACTION_PROHIBITED,
    CKR_DATA_INVALID,          CKR_DATA_LEN_RANGE,
    CKR_DEVICE_ERROR,          CKR_DEVICE_MEMORY,
    CKR_DEVICE_REMOVED,        CKR_FUNCTION_CANCELED,
    CKR_KEY_HANDLE_INVALID,    CKR_KEY_SIZE_RANGE,
    CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_MECHANISM_INVALID,     CKR_MECHANISM_PARAM_INVALID,
    CKR_TOKEN_NOT_PRESENT,     CKR_FUNCTION_REJECTED,
};

}  // namespace

CK_RV FailureRv(const wire::Failure& failure) {
  for (const CK_RV rv : kPassedOn) {
    if (failure.rv == rv) return rv;
  }
  switch (failure.code) {
    case ErrorCode::kDenied:
      return CKR_FUNCTION_REJECTED;
    case ErrorCode::kNotFound:
      return CKR_KEY_HANDLE_INVALID;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTokenFailed:
      return CKR_DEVICE_ERROR;
    case ErrorCode::kMalformed:
    case ErrorCode::kInternal:
    case ErrorCode::kConflict:
      break;
  }
  return CKR_FUNCTION_FAILED;
}

}  // namespace keybroker::module
