// The real keybroker-tokenhost under `keybroker run`, beside a stand-in for the broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "unit/tokenhost/run/run_fixture.h"
#include "unit/tokenhost/test_host.h"

namespace keybroker::cli {
namespace {

using tokenhost::EcdsaRequest;
using tokenhost::KeyOfType;
using tokenhost::Peer;
using tokenhost::TestHost;
using wire::TokenState;

// Supervised is a TestHost whose tokenhost runs under the supervisor.
struct Supervised {
  Supervised() {
    std::filesystem::remove(run.dir / "keybroker-tokenhost");
    std::filesystem::create_symlink(TestHost::Program(), run.dir / "keybroker-tokenhost");
    run.settings = host.settings();
    run.Start();
    EXPECT_TRUE(run.ReadOut("keybroker: ready\n")) << run.output();
  }

  bool Signs() {
    Peer broker(host, host.broker_uid());
    if (!broker.Hello()) return false;
    const auto keys = broker.Keys(1);
    const auto reply = broker.Sign(EcdsaRequest(KeyOfType(keys, cryptoki::KeyType::kEc).ref));
    return reply.header.type == wire::MessageType::kSignReply;
  }

  TestHost host;
  RunFixture run;
};

TEST(RunTokenhost, SignsAgainAfterTheVendorModuleCrashed) {
  Supervised supervised;
  const pid_t first = supervised.host.AwaitState(TokenState::kReady).pid;
  EXPECT_TRUE(supervised.Signs());
  supervised.host.Plan("C_Sign 0 1 crash\n");
  {
    Peer broker(supervised.host, supervised.host.broker_uid());
    ASSERT_TRUE(broker.Hello());
    const auto keys = broker.Keys(1);
    broker.Send({wire::MessageType::kSignRequest, wire::kVersion, 9},
                EcdsaRequest(KeyOfType(keys, cryptoki::KeyType::kEc).ref));
    EXPECT_FALSE(broker.Receive());
  }
  ASSERT_TRUE(supervised.run.ReadOut("it is started again in 50 ms"));
  EXPECT_NE(supervised.host.AwaitState(TokenState::kReady).pid, first);
  EXPECT_TRUE(supervised.Signs());
  EXPECT_EQ(supervised.host.Calls("C_Login"), 2);
  supervised.run.Signal(SIGTERM);
  EXPECT_EQ(supervised.run.Wait(), 0);
}

TEST(RunTokenhost, DiesWithItsSupervisorThoughItChangedItsUser) {
  Supervised supervised;
  const pid_t pid = supervised.host.AwaitState(TokenState::kReady).pid;
  supervised.run.Signal(SIGKILL);
  EXPECT_EQ(supervised.run.Wait(), 137);
  EXPECT_TRUE(IsGone(pid));
}

}  // namespace
}  // namespace keybroker::cli
