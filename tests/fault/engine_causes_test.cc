// That the engine tells apart why a reference cannot be used, with our module and a whole running
// stack behind it; tests/listener/engine_test.py has every cause, with a module that plays it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "support/stack.h"
#include "support/temp_dir.h"

namespace keybroker::test {
namespace {

using testing::StartsWith;

class EngineCauses : public testing::Test {
 protected:
  void MakeStack(const StackListener& listener) {
    StackOptions options;
    options.listeners = {listener};
    auto stack = Stack::Make(options);
    ASSERT_TRUE(stack) << stack.error().detail;
    stack_ = std::move(*stack);
  }

  // Read gives what a listener is told when it reads its reference.
  std::string Read() {
    auto reference = stack_->Reference("https", "ec");
    EXPECT_TRUE(reference) << reference.error().detail;
    return RunCommand({Stack::Program("read_key"), *reference},
                      {{"OPENSSL_CONF", stack_->OpensslConfig()}})
        .out;
  }

  std::unique_ptr<Stack> stack_;
};

TEST_F(EngineCauses, AreNoneWhenAllIsWell) {
  MakeStack({"https", {}, {}, true});
  EXPECT_EQ(Read(), "ec 256\n");
}

TEST_F(EngineCauses, NameABrokerThatDoesNotRun) {
  MakeStack({"https", {}, {}, true});
  ASSERT_TRUE(stack_->Stop());
  EXPECT_THAT(Read(), StartsWith("error broker away: " + stack_->socket("https").string()));
}

TEST_F(EngineCauses, NameATokenThatIsAway) {
  MakeStack({"https", {}, {}, true});
  // A label that no token has: the tokenhost of the next start waits for one.
  ASSERT_TRUE(stack_->Stop());
  const auto file = stack_->directory() / "etc/tokens.d/main.toml";
  std::string text = ReadAll(file);
  text.replace(text.find("\"stack\""), 7, "\"other\"");
  WriteAll(file, text);
  ASSERT_TRUE(stack_->Start());
  EXPECT_THAT(Read(), StartsWith("error token away: the broker answers at " +
                                 stack_->socket("https").string()));
}

TEST_F(EngineCauses, NameAKeyThatIsNotBound) {
  MakeStack({"https", {}, {}, false});
  EXPECT_THAT(Read(), StartsWith("error key not found: this listener is shown no private key"));
}

TEST_F(EngineCauses, NameARefusedUser) {
  MakeStack({"https", {"nobody"}, {}, true});
  EXPECT_THAT(Read(), StartsWith("error listener refused: the broker refuses this process"));
}

}  // namespace
}  // namespace keybroker::test
