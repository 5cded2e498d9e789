#include "module/failure.h"

#include <gtest/gtest.h>

namespace keybroker::module {
namespace {

TEST(Failures, BecomeACkRvThatStandsForTheirCode) {
  const auto rv = [](ErrorCode code) { return FailureRv({code, 0}); };
  EXPECT_EQ(rv(ErrorCode::kDenied), CKR_FUNCTION_REJECTED);
  EXPECT_EQ(rv(ErrorCode::kNotFound), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(rv(ErrorCode::kUnavailable), CKR_DEVICE_ERROR);
  EXPECT_EQ(rv(ErrorCode::kTokenFailed), CKR_DEVICE_ERROR);
  EXPECT_EQ(rv(ErrorCode::kMalformed), CKR_FUNCTION_FAILED);
  EXPECT_EQ(rv(ErrorCode::kInternal), CKR_FUNCTION_FAILED);
  EXPECT_EQ(rv(ErrorCode::kConflict), CKR_FUNCTION_FAILED);
}

TEST(Failures, HandOnACkRvThatACallerCanUse) {
  for (const uint32_t rv :
       {uint32_t{CKR_DATA_LEN_RANGE}, uint32_t{CKR_MECHANISM_INVALID},
        uint32_t{CKR_MECHANISM_PARAM_INVALID}, uint32_t{CKR_TOKEN_NOT_PRESENT},
        uint32_t{CKR_KEY_FUNCTION_NOT_PERMITTED}, uint32_t{CKR_DEVICE_REMOVED}}) {
    EXPECT_EQ(FailureRv({ErrorCode::kTokenFailed, rv}), rv);
  }
}

// Hosts act on these: they would ask for a PIN, grow a buffer, or initialise again.
TEST(Failures, KeepACkRvThatWouldSendTheHostAstray) {
  for (const uint32_t rv :
       {uint32_t{CKR_PIN_INCORRECT}, uint32_t{CKR_PIN_LOCKED}, uint32_t{CKR_USER_NOT_LOGGED_IN},
        uint32_t{CKR_BUFFER_TOO_SMALL}, uint32_t{CKR_CRYPTOKI_NOT_INITIALIZED},
        uint32_t{CKR_CRYPTOKI_ALREADY_INITIALIZED}, uint32_t{CKR_SESSION_HANDLE_INVALID},
        uint32_t{CKR_OPERATION_ACTIVE}, uint32_t{CKR_OK}, uint32_t{CKR_VENDOR_DEFINED} | 1}) {
    EXPECT_EQ(FailureRv({ErrorCode::kTokenFailed, rv}), CKR_DEVICE_ERROR) << rv;
  }
}

}  // namespace
}  // namespace keybroker::module
