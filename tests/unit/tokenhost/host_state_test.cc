// How the running keybroker-tokenhost stands with its token, and what the operator does about it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/tokenhost/test_host.h"

namespace keybroker::tokenhost {
namespace {

using test::RunCommand;
using ::testing::HasSubstr;
using wire::TokenState;

Secret Pin(std::string_view text) { return *Secret::CopyFrom(text); }

TEST(TokenhostState, IsReadyWithTheTokensNames) {
  TestHost host;
  host.Start();
  const auto report = AskTokenStatus(host.settings(), "main");
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->state, TokenState::kReady);
  EXPECT_EQ(report->pid, host.process().pid());
  EXPECT_EQ(report->keys, 2U);
  EXPECT_EQ(report->label, "kb");
  EXPECT_EQ(report->model, "SoftHSM v2");
  EXPECT_NE(report->serial, "");
  EXPECT_EQ(report->detail, "");
  EXPECT_EQ(host.Stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(host.settings().TokenSocket("main")));
}

TEST(TokenhostState, IsUnavailableWhenItDoesNotRun) {
  TestHost host;
  const auto report = AskTokenStatus(host.settings(), "main");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().detail, HasSubstr("start it with `keybroker run`"));
}

TEST(TokenhostState, TriesAWrongPinOnceAndNeverAgainAcrossRestarts) {
  TestHostOptions options;
  options.pin_file = "9999";
  TestHost host(options);
  host.Start();
  EXPECT_THAT(host.AwaitState(TokenState::kLocked).detail, HasSubstr("keybroker token unlock"));
  EXPECT_EQ(host.Calls("C_Login"), 1);
  Peer broker(host, host.broker_uid());
  const auto hello = broker.Hello();
  ASSERT_TRUE(hello);
  EXPECT_FALSE(hello->token_present);
  EXPECT_TRUE(broker.Keys().empty());  // asks for a new reading: no new login either
  EXPECT_EQ(host.Stop(), 0);
  for (int restart = 0; restart < 3; ++restart) {
    host.Start();
    host.AwaitState(TokenState::kLocked);
    EXPECT_EQ(host.Stop(), 0);
  }
  EXPECT_EQ(host.Calls("C_Login"), 1);
}

TEST(TokenhostState, IsUnlockedByTheOperatorsPin) {
  TestHostOptions options;
  options.pin_file = "9999";
  TestHost host(options);
  host.Start();
  host.AwaitState(TokenState::kLocked);
  const auto report = UnlockToken(host.settings(), "main", Pin(kPin));
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->state, TokenState::kReady) << report->detail;
  EXPECT_EQ(report->keys, 2U);
  EXPECT_EQ(host.Calls("C_Login"), 2);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, StaysLockedWhenTheOperatorsPinIsWrongToo) {
  TestHostOptions options;
  options.pin_file = "";
  TestHost host(options);
  host.Start();
  const auto waiting = host.AwaitState(TokenState::kLocked);
  EXPECT_EQ(waiting.detail,
            "its PIN is not known: run `keybroker token unlock main`, or set pin_file or "
            "pin_credential in its file");
  EXPECT_EQ(host.Calls("C_Login"), 0);
  auto report = UnlockToken(host.settings(), "main", Pin("0000"));
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->state, TokenState::kLocked);
  EXPECT_EQ(host.Calls("C_Login"), 1);
  report = UnlockToken(host.settings(), "main", Pin(kPin));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->state, TokenState::kReady) << report->detail;
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, TriesItsPinSourceAgainOnTheOperatorsWord) {
  TestHostOptions options;
  options.pin_file = "9999";
  TestHost host(options);
  host.Start();
  host.AwaitState(TokenState::kLocked);
  host.SetPinFile(kPin);
  const auto report = UnlockToken(host.settings(), "main", Secret());
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->state, TokenState::kReady) << report->detail;
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, KeepsItsSourcesPinWhenTheOperatorMistypesOneWhileItIsReady) {
  TestHost host;
  host.Start();
  host.AwaitState(TokenState::kReady);
  ASSERT_TRUE(UnlockToken(host.settings(), "main", Pin("0000")));
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  const auto keys = broker.Keys();
  host.Plan("C_SignInit 0 1 " + std::to_string(CKR_USER_NOT_LOGGED_IN) + "\n");
  const auto reply = broker.Sign(EcdsaRequest(KeyOfType(keys, cryptoki::KeyType::kEc).ref));
  EXPECT_EQ(reply.header.type, wire::MessageType::kSignReply);
  EXPECT_EQ(host.Calls("C_Login"), 2);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, UsesTheOperatorsPinForALaterLogin) {
  TestHostOptions options;
  options.pin_file = "";
  TestHost host(options);
  host.Start();
  host.AwaitState(TokenState::kLocked);
  ASSERT_TRUE(UnlockToken(host.settings(), "main", Pin(kPin)));
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  const auto keys = broker.Keys();
  host.Plan("C_SignInit 0 1 " + std::to_string(CKR_USER_NOT_LOGGED_IN) + "\n");
  const auto reply = broker.Sign(EcdsaRequest(KeyOfType(keys, cryptoki::KeyType::kEc).ref));
  EXPECT_EQ(reply.header.type, wire::MessageType::kSignReply);
  EXPECT_EQ(host.Calls("C_Login"), 2);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, WaitsForATokenThatIsNotThereYet) {
  TestHost host;
  host.token().label = "later";
  host.WriteToken();
  host.Start();
  EXPECT_THAT(host.AwaitState(TokenState::kAbsent).detail, HasSubstr("later"));
  host.MakeToken("later");
  EXPECT_EQ(host.AwaitState(TokenState::kReady).label, "later");
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, WaitsForAModuleThatIsNotThereYet) {
  TestHost host;
  const auto module = host.token().module;
  host.token().module = host.dir() / "vendor.so";
  host.WriteToken();
  host.Start();
  EXPECT_THAT(host.AwaitState(TokenState::kFailed).detail,
              HasSubstr((host.dir() / "vendor.so").string()));
  std::filesystem::create_symlink(module, host.dir() / "vendor.so");
  EXPECT_EQ(host.AwaitState(TokenState::kReady).keys, 2U);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, ComesBackWhenTheTokenWasPulledOut) {
  TestHost host;
  host.Start();
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  const auto request = EcdsaRequest(KeyOfType(broker.Keys(), cryptoki::KeyType::kEc).ref);
  host.Plan("C_SignInit 0 1 " + std::to_string(CKR_DEVICE_REMOVED) + "\n");
  const auto failure = FailureOf(broker.Sign(request));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, ErrorCode::kUnavailable);
  host.AwaitState(TokenState::kReady);
  EXPECT_EQ(broker.Sign(request).header.type, wire::MessageType::kSignReply);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, ReadsTheKeysAgainOnSighup) {
  TestHost host;
  host.Start();
  const uint64_t before = host.AwaitState(TokenState::kReady).generation;
  host.MakeKey("second.example.test", "03");
  host.process().Signal(SIGHUP);
  ASSERT_TRUE(host.process().WaitForText("3 keys"));
  const auto report = AskTokenStatus(host.settings(), "main");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->keys, 3U);
  EXPECT_NE(report->generation, before);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, ReadsTheKeysAgainWhenTheBrokerAsks) {
  TestHost host;
  host.Start();
  Peer broker(host, host.broker_uid());
  const auto hello = broker.Hello();
  ASSERT_TRUE(hello);
  host.MakeKey("second.example.test", "03");
  EXPECT_EQ(broker.Keys(hello->generation).size(), 2U) << "a known generation is only paged";
  EXPECT_EQ(broker.Keys(0).size(), 3U);
  EXPECT_EQ(broker.Keys(hello->generation).size(), 3U) << "an old generation gives the new one";
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, RefusesASecondTokenhostForTheSameToken) {
  TestHost host;
  host.Start();
  const auto second =
      RunCommand({host.Program(), "--config", host.settings().file.string(), "--token", "main"});
  EXPECT_EQ(second.status, 75);
  EXPECT_THAT(second.err, HasSubstr("another keybroker-tokenhost holds"));
  EXPECT_TRUE(AskTokenStatus(host.settings(), "main"));
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, ReplacesTheSocketOfAKilledOne) {
  TestHost host;
  host.Start();
  host.process().Signal(SIGKILL);
  EXPECT_EQ(host.process().Wait(), 137);
  EXPECT_TRUE(std::filesystem::exists(host.settings().TokenSocket("main")));
  host.Start();
  EXPECT_EQ(host.AwaitState(TokenState::kReady).keys, 2U);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostState, TakesTheSocketThatAServiceManagerPasses) {
  TestHost host;
  const std::string path = host.settings().TokenSocket("main").string();
  constexpr char kManager[] = R"(
import os, socket, sys
path = sys.argv[1]
os.makedirs(os.path.dirname(path))
manager = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
manager.bind(path)
os.chmod(path, 0o666)
manager.listen(9)
os.dup2(manager.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
)";
  host.process() =
      test::Process::Start({"python3", "-c", kManager, path, TestHost::Program(), "--config",
                            host.settings().file.string(), "--token", "main"});
  ASSERT_TRUE(host.process().WaitForText("token \"main\" is ready")) << host.process().output();
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  EXPECT_EQ(broker.Keys().size(), 2U);
  EXPECT_EQ(host.Stop(), 0);
  EXPECT_TRUE(std::filesystem::exists(path)) << "it belongs to the service manager";
}

TEST(TokenhostState, SaysReadyToTheServiceManagerEvenWhenLocked) {
  TestHostOptions options;
  options.pin_file = "";
  TestHost host(options);
  NotifyListener listener(host.dir() / "notify");
  host.Start({{"NOTIFY_SOCKET", (host.dir() / "notify").string()}});
  EXPECT_THAT(listener.Next(), HasSubstr("STATUS=token \"main\" is locked"));
  EXPECT_EQ(listener.Next(), "READY=1");
  EXPECT_EQ(host.Stop(), 0);
  EXPECT_EQ(listener.Next(), "STOPPING=1");
}

TEST(TokenhostCheck, AcceptsAGoodConfiguration) {
  TestHost host;
  const auto result = RunCommand(
      {host.Program(), "--config", host.settings().file.string(), "--token", "main", "--check"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out,
            "keybroker-tokenhost: the configuration of token \"main\" is ok; "
            "keybroker doctor tries the token itself\n");
  EXPECT_EQ(host.Calls("C_Initialize"), 0);
}

TEST(TokenhostCheck, NamesWhatIsWrong) {
  TestHost host;
  const auto check = [&](const std::string& token) {
    return RunCommand(
        {host.Program(), "--config", host.settings().file.string(), "--token", token, "--check"});
  };
  auto result = check("other");
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("tokens.d/other.toml"));
  std::filesystem::permissions(host.dir() / "pin", std::filesystem::perms(0644));
  result = check("main");
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("chmod 0600"));
  host.token().module = "/nonexistent.so";
  host.WriteToken();
  result = check("main");
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("/nonexistent.so"));
}

}  // namespace
}  // namespace keybroker::tokenhost
