#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fault/load.h"
#include "support/sanitized.h"
#include "support/stack.h"

namespace keybroker::test {
namespace {

constexpr unsigned kClients = 8;
// A sanitizer sees in one kill what it sees in three, and signing under load is slow there.
constexpr unsigned kKills = KB_SANITIZED ? 1 : 3;

// A whole stack under load by eight clients that each hold the module open, as listeners do.
class RestartUnderLoad : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    StackOptions options;
    options.certificates = true;
    auto stack = Stack::Make(options);
    ASSERT_TRUE(stack) << stack.error().detail;
    stack_ = std::move(*stack);
    auto key = PublicKey::FromCertificate(stack_->certificate(type()));
    ASSERT_TRUE(key) << key.error().detail;
    load_ = std::make_unique<Load>(stack_->ModuleTarget("https", type()), *key, kClients);
    ASSERT_TRUE(load_->AwaitEach(20)) << "the clients do not sign at all";
    ASSERT_EQ(load_->Failed(), 0U);
  }

  std::string type() const { return GetParam(); }

  // The clients' own words for it: from the moment kill_and_await returns, nothing fails.
  template <typename Kill>
  void ExpectNothingLostAfter(Kill kill_and_await) {
    for (unsigned i = 0; i < kKills; ++i) {
      Status back = kill_and_await();
      ASSERT_TRUE(back) << back.error().detail;
      uint64_t back_ns = MonotonicNs();
      ASSERT_TRUE(load_->AwaitEach(20)) << "a client never signs again after kill " << i + 1;
      EXPECT_THAT(load_->FailedSince(back_ns), testing::IsEmpty()) << "after kill " << i + 1;
    }
    EXPECT_EQ(load_->Wrong(), 0U);
    RecordProperty("tried", std::to_string(load_->Tried()));
    RecordProperty("failed_while_down", std::to_string(load_->Failed()));
  }

  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Load> load_;
};

TEST_P(RestartUnderLoad, ClientsSignAgainAfterTheBrokerWasKilled) {
  ExpectNothingLostAfter([this] { return stack_->KillAndAwaitBroker(); });
}

TEST_P(RestartUnderLoad, ClientsSignAgainAfterTheTokenhostWasKilled) {
  ExpectNothingLostAfter([this] { return stack_->KillAndAwaitTokenhost(); });
}

TEST_P(RestartUnderLoad, ClientsSignAgainAfterEverythingWasStoppedAndStarted) {
  ExpectNothingLostAfter([this]() -> Status {
    KB_TRY(stack_->Stop());
    return stack_->Start();
  });
}

INSTANTIATE_TEST_SUITE_P(Keys, RestartUnderLoad, testing::Values("ec", "rsa"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace keybroker::test
