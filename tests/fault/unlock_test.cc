// A token whose PIN is in nobody's file: its tokenhost waits until an operator types it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/stack.h"
#include "support/temp_dir.h"

namespace keybroker::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Unlock : public testing::Test {
 protected:
  void SetUp() override {
    StackOptions options;
    options.certificates = true;
    auto made = Stack::Make(options);
    ASSERT_TRUE(made) << made.error().detail;
    stack_ = std::move(*made);
    ASSERT_TRUE(stack_->Stop());
    ForgetPin();
    ASSERT_TRUE(stack_->Start());
  }

  void ForgetPin() const {
    const auto file = stack_->config().parent_path() / "tokens.d/main.toml";
    std::istringstream before(ReadAll(file));
    std::string after;
    for (std::string line; std::getline(before, line);) {
      if (line.rfind("pin_file", 0) != 0) after += line + "\n";
    }
    ASSERT_NE(after, before.str());
    WriteAll(file, after);
  }

  Process AtTerminal(const Arguments& arguments) const {
    Arguments all = {Stack::Program("keybroker"), "--config", stack_->config()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return Process::StartOnTerminal(all);
  }

  // A listener is a process of its own.
  Status SignAsListener() {
    const auto reference = stack_->Reference("https", "ec");
    if (!reference) return Fail(reference.error());
    const CommandResult read = RunCommand({Stack::Program("read_key"), *reference},
                                          {{"OPENSSL_CONF", stack_->OpensslConfig()}});
    if (read.status == 0) return {};
    return Fail(Unavailable(read.out + read.err));
  }

  std::unique_ptr<Stack> stack_;
};

TEST_F(Unlock, ByATypedPinThatTheTerminalDoesNotShow) {
  EXPECT_FALSE(SignAsListener());
  EXPECT_THAT(stack_->Cli({"status"}).out, HasSubstr("token unlock"));
  Process unlock = AtTerminal({"token", "unlock"});
  ASSERT_TRUE(unlock.WaitForText("PIN of the token \"main\": ")) << unlock.output();
  unlock.Type(std::string(kTokenPin) + "\n");
  EXPECT_EQ(unlock.Wait().value_or(-1), 0) << unlock.output();
  EXPECT_THAT(unlock.output(), HasSubstr("is ready, with 2 keys"));
  EXPECT_THAT(unlock.output(), Not(HasSubstr(kTokenPin)));
  const Status signed_status = SignAsListener();
  EXPECT_TRUE(signed_status) << signed_status.error().detail;
}

TEST_F(Unlock, AWrongPinIsTriedOnceAndARightOneAfterwards) {
  Process wrong = AtTerminal({"token", "unlock"});
  ASSERT_TRUE(wrong.WaitForText("PIN of the token \"main\": ")) << wrong.output();
  wrong.Type("000000\n");
  EXPECT_EQ(wrong.Wait().value_or(-1), 1) << wrong.output();
  EXPECT_THAT(wrong.output(), Not(HasSubstr("000000")));
  EXPECT_THAT(wrong.output(), HasSubstr("PIN"));
  EXPECT_FALSE(SignAsListener());
  Process right = AtTerminal({"token", "unlock"});
  ASSERT_TRUE(right.WaitForText("PIN of the token \"main\": ")) << right.output();
  // What was mistyped is taken back with Control-U and the erase key.
  right.Type(
      "99\x15"
      "5\x7f" +
      std::string(kTokenPin) + "\n");
  EXPECT_EQ(right.Wait().value_or(-1), 0) << right.output();
  EXPECT_TRUE(SignAsListener());
}

TEST_F(Unlock, IsGivenUpByControlC) {
  Process unlock = AtTerminal({"token", "unlock"});
  ASSERT_TRUE(unlock.WaitForText("PIN of the token \"main\": ")) << unlock.output();
  unlock.Type("12\x03");
  EXPECT_EQ(unlock.Wait().value_or(-1), 1) << unlock.output();
  EXPECT_THAT(unlock.output(), HasSubstr("nothing was changed"));
}

}  // namespace
}  // namespace keybroker::test
