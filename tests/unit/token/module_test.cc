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
  EXPECT_EQ(module.error().detail,
            "there is no file /nonexistent/vendor.so; \"module\" in the token's file must name the "
            "vendor's PKCS#11 module");
}

TEST(Module, IsMalformedWhenItIsAFolder) {
  TokenConfig config;
  config.module = "/tmp";
  const auto module = Module::Load(config);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(module.error().detail, HasSubstr("/tmp is no file; \"module\""));
}

TEST(Module, ThatDoesNotStartNamesItsConfigurationAndNoValueOfIt) {
  TokenConfig config = test::SoftHsmToken().config();  // whose folder is gone by now
  config.environment["VENDOR_PASSWORD"] = "hush";
  const auto module = Module::Load(config);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().rv, CKR_GENERAL_ERROR);
  EXPECT_THAT(module.error().detail,
              testing::AllOf(HasSubstr("libsofthsm2.so does not start: C_Initialize: "
                                       "CKR_GENERAL_ERROR"),
                             HasSubstr("[token.environment] (SOFTHSM2_CONF, VENDOR_PASSWORD)"),
                             testing::Not(HasSubstr("hush"))));
}

TEST(Module, IsMalformedWhenItIsNoLibrary) {
  const test::TempDir dir;
  TokenConfig config;
  config.module = dir / "text.so";
  test::WriteAll(config.module, "not a library");
  const auto module = Module::Load(config);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().code, ErrorCode::kMalformed);
  EXPECT_EQ(module.error().detail,
            config.module.string() +
                " cannot be loaded: file too short; \"module\" in the token's file must name the "
                "vendor's PKCS#11 module");
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
        Case{
            CKR_TOKEN_WRITE_PROTECTED, ErrorCode::kDenied,
            "C_X: CKR_TOKEN_WRITE_PROTECTED: the token is write-protected; take the protection off "
            "(the vendor's manual says how), or use another token"},
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
