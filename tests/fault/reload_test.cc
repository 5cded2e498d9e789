// What an operator changes while listeners hold the module open, on a whole running stack.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/stack.h"
#include "support/temp_dir.h"

namespace keybroker::test {
namespace {

using testing::HasSubstr;

class ReloadOnAStack : public testing::Test {
 protected:
  void SetUp() override {
    auto stack = Stack::Make();
    ASSERT_TRUE(stack) << stack.error().detail;
    stack_ = std::move(*stack);
    auto client = Pkcs11Client::Open(stack_->ModuleTarget("https", "ec"));
    ASSERT_TRUE(client) << client.error().detail;
    client_ = std::make_unique<Pkcs11Client>(std::move(*client));
    ASSERT_TRUE(Sign());
  }

  void TearDown() override {
    if (client_ != nullptr) client_->Finalize();
  }

  Status Sign() { return client_->Sign(); }

  void Expect(const Arguments& arguments) const {
    const CommandResult result = stack_->Cli(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
  }

  std::filesystem::path File() const { return stack_->directory() / "etc/listeners.d/https.toml"; }

  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Pkcs11Client> client_;
};

TEST_F(ReloadOnAStack, ARemovedBindingIsRefusedFromTheNextSignature) {
  Expect({"listener", "unbind", "https", kKeyName});
  EXPECT_FALSE(Sign());
  Expect({"listener", "bind", "https", kKeyName});
  Status again = Sign();
  EXPECT_TRUE(again) << again.error().detail;
}

TEST_F(ReloadOnAStack, ABrokenFileLeavesTheOldStateInForceAndSaysWhere) {
  const std::string good = ReadAll(File());
  WriteAll(File(), good + "[[binding]]\nkye = \"other.example.test\"\n");
  const CommandResult reload = stack_->Cli({"reload"});
  EXPECT_EQ(reload.status, 1);
  EXPECT_THAT(reload.err,
              testing::AllOf(HasSubstr("https.toml:"), HasSubstr("\"kye\""),
                             HasSubstr("the legal keys here are"), HasSubstr("stays in force")));
  EXPECT_TRUE(Sign());
  WriteAll(File(), good);
  Expect({"reload"});
  EXPECT_TRUE(Sign());
}

}  // namespace
}  // namespace keybroker::test
