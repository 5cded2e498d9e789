#include "broker/token_gate.h"

#include <gtest/gtest.h>

namespace keybroker::broker {
namespace {

// A broker that was started before its tokenhost, or sees it restart: once it answers, what it says
// of its token (locked, absent) is what the operator has to be told.
TEST(TokenGate, IsReachableAgainWhenItsTokenhostSaysThatTheTokenIsUnavailable) {
  TokenGate gate("main", "/run/keybroker/token/main", 1000);
  gate.NoteLoss(TokenGate::Loss::kConnection, "nobody answers");
  EXPECT_TRUE(gate.unreachable());
  gate.NoteLoss(TokenGate::Loss::kToken, "it says it is locked");
  EXPECT_TRUE(gate.away());
  EXPECT_FALSE(gate.unreachable());
  // A connection says nothing of the token: that is still unavailable.
  gate.NoteConnected();
  EXPECT_TRUE(gate.away());
  gate.NoteWorking();
  EXPECT_FALSE(gate.away());
}

}  // namespace
}  // namespace keybroker::broker
