#include <gtest/gtest.h>

#include "keybroker/wire/sign.h"
#include "tokenhost/line_budget.h"
#include "tokenhost/peer_rights.h"
#include "tokenhost/recovery.h"
#include "tokenhost/session_pool.h"

namespace keybroker::tokenhost {
namespace {

using wire::MessageType;

constexpr uid_t kBroker = 101;
constexpr uid_t kToken = 102;
constexpr PeerRights kRights{kBroker, kToken};

TEST(SessionPool, SaysThatTheDeadlinePassedWhenAllSessionsWereBusy) {
  Watchdog watchdog("token", std::chrono::seconds(60));
  SessionPool pool(0, watchdog);
  const auto lease = pool.Borrow(SessionSource{}, SessionPool::Clock::now());
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(lease.error().rv, wire::kDeadlinePassed) << "or the broker takes the token for away";
}

TEST(PeerRights, LetOnlyTheBrokerAskForSignatures) {
  for (const auto type :
       {MessageType::kHello, MessageType::kCatalogueRequest, MessageType::kSignRequest}) {
    EXPECT_TRUE(kRights.May(kBroker, type));
    EXPECT_FALSE(kRights.May(kToken, type));
    EXPECT_FALSE(kRights.May(0, type));
    EXPECT_FALSE(kRights.May(1000, type));
  }
}

TEST(PeerRights, LetOnlyRootAndTheTokenUserUnlockAndBorrow) {
  for (const auto type : {MessageType::kUnlockRequest, MessageType::kBorrowRequest}) {
    EXPECT_TRUE(kRights.May(0, type));
    EXPECT_TRUE(kRights.May(kToken, type));
    EXPECT_FALSE(kRights.May(kBroker, type));
    EXPECT_FALSE(kRights.May(1000, type));
  }
}

TEST(PeerRights, LetAllThreeAskForTheStatus) {
  for (const uid_t uid : {uid_t{0}, kBroker, kToken}) {
    EXPECT_TRUE(kRights.May(uid, MessageType::kTokenStatusRequest));
  }
  EXPECT_FALSE(kRights.May(1000, MessageType::kTokenStatusRequest));
}

TEST(PeerRights, KnowNoOtherMessage) {
  for (const auto type :
       {MessageType::kHelloReply, MessageType::kCataloguePage, MessageType::kSignReply,
        MessageType::kFailure, MessageType::kAdminRequest, MessageType::kTokenStatusReply}) {
    EXPECT_FALSE(kRights.May(kBroker, type));
    EXPECT_FALSE(kRights.May(0, type));
  }
}

TEST(Recovery, NeverTriesAgainWithARefusedPin) {
  EXPECT_EQ(RecoveryFor(CKR_PIN_INCORRECT), Recovery::kWrongPin);
  EXPECT_EQ(RecoveryFor(CKR_PIN_LOCKED), Recovery::kWrongPin);
  EXPECT_EQ(RecoveryFor(CKR_PIN_EXPIRED), Recovery::kWrongPin);
}

TEST(Recovery, MendsWhatTheTokenForgot) {
  EXPECT_EQ(RecoveryFor(CKR_SESSION_HANDLE_INVALID), Recovery::kNewSession);
  EXPECT_EQ(RecoveryFor(CKR_SESSION_CLOSED), Recovery::kNewSession);
  EXPECT_EQ(RecoveryFor(CKR_USER_NOT_LOGGED_IN), Recovery::kLogin);
  EXPECT_EQ(RecoveryFor(CKR_KEY_HANDLE_INVALID), Recovery::kFindKeys);
  EXPECT_EQ(RecoveryFor(CKR_OBJECT_HANDLE_INVALID), Recovery::kFindKeys);
  EXPECT_EQ(RecoveryFor(CKR_DEVICE_REMOVED), Recovery::kFindToken);
  EXPECT_EQ(RecoveryFor(CKR_TOKEN_NOT_PRESENT), Recovery::kFindToken);
  EXPECT_EQ(RecoveryFor(CKR_DATA_INVALID), Recovery::kNone);
}

TEST(LineBudget, LogsAFewAndThenCounts) {
  LineBudget budget(2, std::chrono::seconds(10));
  const LineBudget::Clock::time_point start{std::chrono::hours(1)};
  EXPECT_EQ(budget.Admit("a", start), "a");
  EXPECT_EQ(budget.Admit("b", start), "b");
  EXPECT_EQ(budget.Admit("c", start), "");
  EXPECT_EQ(budget.Admit("d", start + std::chrono::seconds(9)), "");
  EXPECT_EQ(budget.Admit("e", start + std::chrono::seconds(10)),
            "e (and 2 more lines like it before)");
  EXPECT_EQ(budget.Admit("f", start + std::chrono::seconds(11)), "f");
}

}  // namespace
}  // namespace keybroker::tokenhost
