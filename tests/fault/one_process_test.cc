// Operator and listeners share a token that admits one process at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fault/load.h"
#include "support/stack.h"
#include "support/temp_dir.h"

namespace keybroker::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OneProcessToken : public testing::Test {
 protected:
  void SetUp() override {
    StackOptions options;
    options.token = StackToken::kOneProcess;
    options.certificates = true;
    auto stack = Stack::Make(options);
    ASSERT_TRUE(stack) << stack.error().detail;
    stack_ = std::move(*stack);
    auto key = PublicKey::FromCertificate(stack_->certificate("ec"));
    ASSERT_TRUE(key) << key.error().detail;
    load_ = std::make_unique<Load>(stack_->ModuleTarget("https", "ec"), *key, 4);
    ASSERT_TRUE(load_->AwaitEach(20)) << "the clients do not sign at all";
  }

  std::string Calls() const { return ReadAll(stack_->faulty_log()); }

  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Load> load_;
};

TEST_F(OneProcessToken, IsBorrowedForACommandAndSignsAgainAfterwards) {
  for (const char* name : {"one.example.test", "two.example.test"}) {
    const auto made = stack_->Cli({"key", "generate", name, "--type", "ec"});
    EXPECT_EQ(made.status, 0) << made.err;
    const uint64_t back_ns = MonotonicNs();
    ASSERT_TRUE(load_->AwaitEach(20)) << "a client never signs again";
    EXPECT_THAT(load_->FailedSince(back_ns), testing::IsEmpty());
  }
  EXPECT_EQ(load_->Wrong(), 0U);
  EXPECT_THAT(Calls(), Not(HasSubstr("one process too many")));
}

TEST_F(OneProcessToken, IsNotTakenAwayByALook) {
  WriteAll(stack_->faulty_log(), "");
  const auto seen = stack_->Cli({"token", "list"});
  EXPECT_EQ(seen.status, 0) << seen.err;
  EXPECT_THAT(seen.out, HasSubstr("SoftHSM v2"));
  const auto doctor = stack_->Cli({"doctor"});
  EXPECT_THAT(doctor.out, HasSubstr("SoftHSM v2"));
  ASSERT_TRUE(load_->AwaitEach(20));
  EXPECT_THAT(Calls(), Not(HasSubstr("C_Login"))) << "the tokenhost had to log in again";
  EXPECT_EQ(load_->Failed(), 0U);
}

// What the profile is for: without its word the two get in each other's way.
TEST_F(OneProcessToken, RefusesACommandThatDoesNotBorrowIt) {
  const auto profile = stack_->directory() / "profiles/one-process.toml";
  std::string text = ReadAll(profile);
  const std::string one = "several_processes = false";
  text.replace(text.find(one), one.size(), "several_processes = true");
  WriteAll(profile, text);
  const auto made = stack_->Cli({"key", "generate", "one.example.test", "--type", "ec"});
  EXPECT_NE(made.status, 0);
  EXPECT_THAT(made.err, HasSubstr("CKR_DEVICE_ERROR"));
  EXPECT_THAT(Calls(), HasSubstr("one process too many"));
}

}  // namespace
}  // namespace keybroker::test
