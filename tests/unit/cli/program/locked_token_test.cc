// A token that is not open is not a token without keys: what every command says of one whose PIN is
// wrong, absent, or was typed by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "unit/cli/program/host.h"
#include "unit/cli/program/tcp_server.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUnknown[] =
    "the token main is locked: its keys are unknown until `keybroker token unlock main`";

class LockedToken : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    Text({"key", "generate", kName});
    Text({"listener", "add", "https", "--user", "root"});
    Text({"listener", "bind", "https", kName});
    SetPinFile("000000");
    Write("right-pin", std::string(kPin) + "\n", 0600);
    Write("wrong-pin", "999999\n", 0600);
  }

  void SetPinFile(const std::string& pin) const {
    Write("token/pin", pin + "\n", 0600);
    GiveToTokenUser("token/pin");
  }

  void StartAll() {
    run_ = Process::Start(
        {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
    ASSERT_TRUE(run_.WaitForText("keybroker: ready")) << run_.output();
  }

  // Eventually waits for what the broker learns of its tokenhost within a second or so.
  template <typename Done>
  static bool Eventually(Done done) {
    for (int i = 0; i < 300; ++i) {
      if (done()) return true;
      ::usleep(100'000);
    }
    return false;
  }

  std::string StateOfToken() const {
    const Json json = Json::parse(Run({"--json", "status"}).out, nullptr, false);
    return json["tokens"][0]["state"];
  }

  void AwaitState(const std::string& state) const {
    ASSERT_TRUE(Eventually([&] { return StateOfToken() == state; })) << StateOfToken();
  }

  Process run_;
};

TEST_F(LockedToken, IsNotCalledATokenWithoutKeysByAnyCommand) {
  StartAll();
  AwaitState("locked");
  const auto status = Run({"status"});
  EXPECT_EQ(status.status, 1);
  EXPECT_THAT(status.out,
              AllOf(HasSubstr("locked"), HasSubstr("unknown"), Not(HasSubstr("is on no"))));
  const auto why = Run({"why", "https", kName, "CKM_ECDSA"});
  EXPECT_EQ(why.status, 3);
  EXPECT_THAT(why.out, AllOf(HasSubstr(kUnknown), Not(HasSubstr("generate"))));
  const auto doctor = Run({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.out,
              AllOf(HasSubstr(kUnknown), Not(HasSubstr("backup restore")),
                    Not(HasSubstr("`keybroker key generate " + std::string(kName) + "`"))));
  EXPECT_EQ(run_.Stop(), 0);
  EXPECT_THAT(run_.output(), Not(HasSubstr("is on no token")));
}

TEST_F(LockedToken, IsWhatListenerCheckFinds) {
  StartAll();
  AwaitState("locked");
  const TcpServer server([](const Peer&) {});
  const auto check = Run({"--json", "listener", "check", "https", "--connect", server.address()});
  EXPECT_EQ(check.status, 1);
  const Json json = Json::parse(check.out, nullptr, false);
  EXPECT_EQ(json["handshakes"][0]["finding"], "token-failed") << json;
  EXPECT_THAT(json["handshakes"][0]["text"].get<std::string>(), HasSubstr(kUnknown));
}

TEST_F(LockedToken, OpenedByHandStillHasAWrongPinInItsFile) {
  StartAll();
  AwaitState("locked");
  const auto unlocked = Run({"token", "unlock", "--pin-file", File("right-pin")});
  EXPECT_EQ(unlocked.status, 0) << unlocked.err;
  const std::string problem = "open by a PIN that was typed; the one in " +
                              File("token/pin").string() + " is another, which was refused";
  EXPECT_THAT(unlocked.err, HasSubstr(problem));
  AwaitState("ready");
  EXPECT_THAT(Run({"status"}).out, HasSubstr(problem));
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(problem));
  SetPinFile(kPin);
  Text({"reload"});
  EXPECT_TRUE(Eventually([&] { return Run({"status"}).out.find(problem) == std::string::npos; }));
  EXPECT_EQ(run_.Stop(), 0);
}

TEST_F(LockedToken, ThatIsOpenTriesNoPin) {
  SetPinFile(kPin);
  StartAll();
  AwaitState("ready");
  const Json json = Answer({"token", "unlock", "--pin-file", File("wrong-pin")});
  EXPECT_EQ(json["state"], "ready");
  EXPECT_EQ(json["pin_tried"], false);
  // Nobody is asked for what would not be tried: there is no terminal here.
  EXPECT_THAT(Text({"token", "unlock"}),
              AllOf(HasSubstr("logged in already"), HasSubstr("no PIN was tried")));
  EXPECT_EQ(run_.Stop(), 0);
}

// SoftHSM's library goes on with the token that it found at its start.
TEST_F(LockedToken, ThatWasLostAndMadeAnewIsTakenByTheRunningTokenhost) {
  SetPinFile(kPin);
  StartAll();
  AwaitState("ready");
  const auto lose = [&] {
    for (const auto& each : std::filesystem::directory_iterator(File("token/tokens"))) {
      std::filesystem::remove_all(each.path());
    }
  };
  lose();
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("whether that is still there is not known"));
  Text({"token", "init", "--so-pin-file", File("so-pin")});
  Text({"key", "generate", "new.example.test"});
  Text({"listener", "bind", "https", "new.example.test"});
  EXPECT_TRUE(Eventually([&] {
    return Run({"why", "https", "new.example.test", "CKM_ECDSA"}).status == 0;
  }));
  lose();
  MakeToken("stack");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("the one that is there now has serial"));
  EXPECT_EQ(run_.Stop(), 0);
}

// A command that was told by the token that the PIN file is wrong knows what the next start meets.
TEST_F(LockedToken, IsForeseenWhileItIsOpen) {
  SetPinFile(kPin);
  StartAll();
  AwaitState("ready");
  EXPECT_THAT(Run({"status"}).err, Not(HasSubstr("next start")));
  SetPinFile("000000");
  EXPECT_EQ(Run({"key", "list"}).status, 1);
  const auto status = Run({"status"});
  EXPECT_EQ(status.status, 0);
  EXPECT_THAT(status.err, AllOf(HasSubstr("next start finds it locked"),
                                HasSubstr("the last login was refused (CKR_PIN_INCORRECT)")));
  EXPECT_EQ(run_.Stop(), 0);
}

}  // namespace
}  // namespace keybroker::cli::test
