#include "keybroker/token/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keybroker/token/token.h"
#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using testing::HasSubstr;

TEST(Module, IsNotFoundWhereThereIsNoFile) {
  TokenConfig config;
  config.module = "/nonexistent/vendor.so";
  const auto module = Module::Load(config);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(module.error().detail, HasSubstr("/nonexistent/vendor.so"));
  config.module = "/tmp";
  EXPECT_EQ(Module::Load(config).error().code, ErrorCode::kNotFound);
}

TEST(Module, IsMalformedWhenItIsNoLibrary) {
  const test::TempDir dir;
  TokenConfig config;
  config.module = dir / "text.so";
  test::WriteAll(config.module, "not a library");
  const auto module = Module::Load(config);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(module.error().detail, HasSubstr("cannot be loaded"));
}

TEST(Module, IsMalformedWhenItIsALibraryWithoutCryptoki) {
  TokenConfig config;
  for (const char* path : {"/usr/lib64/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6",
                           "/lib/x86_64-linux-gnu/libm.so.6"}) {
    if (std::filesystem::exists(path)) config.module = path;
  }
  ASSERT_FALSE(config.module.empty());
  const auto module = Module::Load(config);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(module.error().detail, HasSubstr("is not a PKCS#11 module"));
}

TEST(Module, IsFinalisedOnlyByWhoInitialisedIt) {
  const test::SoftHsmToken soft;
  const auto first = Module::Load(soft.config());
  ASSERT_TRUE(first);
  { ASSERT_TRUE(Module::Load(soft.config())); }
  EXPECT_TRUE((*first)->Slots(true));
}

TEST(Module, ListsSlotsWithAndWithoutTokens) {
  const test::NssToken soft;
  const auto module = Module::Load(soft.config());
  ASSERT_TRUE(module) << module.error().detail;
  EXPECT_EQ((*module)->Slots(true)->size(), 2u);
  EXPECT_EQ((*module)->Slots(false)->size(), 2u);
}

// StartWhenTold waits for the parent to open the gate, and finds the token.
[[noreturn]] void StartWhenTold(int gate, const TokenConfig& config) {
  char byte = 0;
  if (read(gate, &byte, 1) != 0) _exit(2);
  const auto module = Module::Load(config);
  if (!module) {
    std::fprintf(stderr, "%s\n", module.error().detail.c_str());
    _exit(1);
  }
  const auto token = Token::Find(*module, config);
  if (!token) std::fprintf(stderr, "%s\n", token.error().detail.c_str());
  _exit(token ? 0 : 1);
}

// SoftHSM 2.6.1 fails some starts when many processes start at once; Load tries again.
TEST(Module, StartsInManyProcessesAtOnce) {
  const test::SoftHsmToken soft;
  constexpr int kProcesses = 24;
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      close(gate[1]);
      StartWhenTold(gate[0], soft.config());
    }
    children.push_back(child);
  }
  close(gate[0]);
  close(gate[1]);
  int failed = 0;
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    if (status != 0) ++failed;
  }
  EXPECT_EQ(failed, 0);
}

TEST(CheckRv, SaysMoreThanTheCodeWhereItCan) {
  struct Case {
    CK_RV rv;
    ErrorCode code;
    const char* detail;
  };
  for (const Case& c :
       {Case{CKR_TOKEN_NOT_PRESENT, ErrorCode::kUnavailable,
             "C_X: CKR_TOKEN_NOT_PRESENT; is the token plugged in?"},
        Case{CKR_DEVICE_REMOVED, ErrorCode::kUnavailable,
             "C_X: CKR_DEVICE_REMOVED; is the token plugged in?"},
        Case{CKR_PIN_INCORRECT, ErrorCode::kDenied, "C_X: CKR_PIN_INCORRECT: the PIN is wrong"},
        Case{CKR_PIN_LOCKED, ErrorCode::kDenied,
             "C_X: CKR_PIN_LOCKED: the token has locked the PIN; the SO must set a new one"},
        Case{CKR_TOKEN_WRITE_PROTECTED, ErrorCode::kDenied,
             "C_X: CKR_TOKEN_WRITE_PROTECTED: the token is write-protected"},
        Case{CKR_DEVICE_ERROR, ErrorCode::kTokenFailed, "C_X: CKR_DEVICE_ERROR"},
        Case{CKR_VENDOR_DEFINED | 7, ErrorCode::kTokenFailed, "C_X: CKR_? (0x80000007)"}}) {
    const Status status = CheckRv("C_X", c.rv);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, c.code);
    EXPECT_EQ(status.error().rv, c.rv);
    EXPECT_EQ(status.error().detail, c.detail);
  }
  EXPECT_TRUE(CheckRv("C_X", CKR_OK));
}

}  // namespace
}  // namespace keybroker::token
