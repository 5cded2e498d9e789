// A running keybroker-tokenhost lets go of a token that admits one process, and takes it back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <future>

#include "unit/tokenhost/test_host.h"

namespace keybroker::tokenhost {
namespace {

using ::testing::HasSubstr;
using wire::TokenState;

// OneProcessHost is a TestHost whose module admits one process: whoever holds the lock.
class OneProcessHost : public TestHost {
 public:
  explicit OneProcessHost(const TestHostOptions& options = {}) : TestHost(options) {
    test::WriteAll(lock_file(), "");
    std::filesystem::permissions(lock_file(), std::filesystem::perms(0644));
    token().environment["KB_FAULTY_ONE_PROCESS"] = lock_file().string();
    WriteToken();
    Start();
    AwaitState(TokenState::kReady);
  }

  // Take is another process's C_Initialize; no descriptor when the tokenhost has the token.
  UniqueFd Take() const {
    UniqueFd fd(::open(lock_file().c_str(), O_RDONLY | O_CLOEXEC));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.Reset();
    return fd;
  }

 private:
  std::filesystem::path lock_file() const { return dir() / "one-process"; }
};

TEST(TokenhostLoan, LastsUntilTheBorrowerEndsIt) {
  OneProcessHost host;
  ASSERT_FALSE(host.Take());
  auto loan = BorrowToken(host.settings(), "main");
  ASSERT_TRUE(loan) << loan.error().detail;
  EXPECT_TRUE(host.Take());
  const auto report = AskTokenStatus(host.settings(), "main");
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->state, TokenState::kLent);
  EXPECT_EQ(report->keys, 2U);
  EXPECT_THAT(report->detail, HasSubstr("pid " + std::to_string(::getpid())));
  loan = Fail(Internal("over"));
  EXPECT_EQ(host.AwaitState(TokenState::kReady).keys, 2U);
  EXPECT_FALSE(host.Take());
  EXPECT_EQ(host.Calls("C_Login"), 2);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostLoan, HasSignaturesWaitForItsEnd) {
  OneProcessHost host;
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  const auto request = EcdsaRequest(KeyOfType(broker.Keys(), cryptoki::KeyType::kEc).ref);
  EXPECT_EQ(broker.Sign(request).header.type, wire::MessageType::kSignReply);
  auto loan = BorrowToken(host.settings(), "main");
  ASSERT_TRUE(loan) << loan.error().detail;
  broker.Send({wire::MessageType::kSignRequest, wire::kVersion, 77}, request);
  // The tokenhost still answers others, and has signed nothing.
  EXPECT_TRUE(AskTokenStatus(host.settings(), "main"));
  EXPECT_EQ(host.Calls("C_Sign"), 1);
  loan = Fail(Internal("over"));
  const auto reply = broker.Receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.type, wire::MessageType::kSignReply);
  EXPECT_EQ(reply->header.request_id, 77U);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostLoan, IsGivenToOneBorrowerAfterTheOther) {
  OneProcessHost host;
  auto first = BorrowToken(host.settings(), "main");
  ASSERT_TRUE(first) << first.error().detail;
  auto second =
      std::async(std::launch::async, [&] { return BorrowToken(host.settings(), "main"); });
  first = Fail(Internal("over"));
  const auto got = second.get();
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_TRUE(host.Take());
}

TEST(TokenhostLoan, IsFollowedByAnAbsenceWhereSomebodyElseKeepsTheToken) {
  OneProcessHost host;
  auto loan = BorrowToken(host.settings(), "main");
  ASSERT_TRUE(loan) << loan.error().detail;
  UniqueFd other = host.Take();
  ASSERT_TRUE(other);
  loan = Fail(Internal("over"));
  EXPECT_THAT(host.AwaitState(TokenState::kFailed).detail, HasSubstr("CKR_DEVICE_ERROR"));
  other.Reset();
  host.AwaitState(TokenState::kReady);
}

TEST(TokenhostLoan, TakesNoPinMeanwhile) {
  OneProcessHost host;
  const auto loan = BorrowToken(host.settings(), "main");
  ASSERT_TRUE(loan) << loan.error().detail;
  const auto report = UnlockToken(host.settings(), "main", *Secret::CopyFrom("9999"));
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->state, TokenState::kLent);
  EXPECT_EQ(host.Calls("C_Login"), 1);
}

TEST(TokenhostLoan, IsAskedForOnceOnAConnection) {
  OneProcessHost host;
  Peer operator_(host, host.token_uid());
  const wire::Header request{wire::MessageType::kBorrowRequest, wire::kVersion, 5};
  operator_.SendEmpty(request);
  const auto reply = operator_.Receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.type, wire::MessageType::kBorrowReply);
  operator_.SendEmpty(request);
  EXPECT_FALSE(operator_.Receive());
  host.AwaitState(TokenState::kReady);  // the end of the connection was the end of the loan
}

TEST(TokenhostLoan, EndsWithATokenhostThatStops) {
  OneProcessHost host;
  const auto loan = BorrowToken(host.settings(), "main");
  ASSERT_TRUE(loan) << loan.error().detail;
  EXPECT_EQ(host.Stop(), 0);
  EXPECT_TRUE(host.Take());
}

}  // namespace
}  // namespace keybroker::tokenhost
