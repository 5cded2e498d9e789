#include "cli/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <set>

#include "cli/run_backoff.h"
#include "unit/tokenhost/run/run_fixture.h"

namespace keybroker::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kReady[] = "keybroker: ready\n";

TEST(RunBackoff, DoublesFromFiftyMillisecondsToFiveSeconds) {
  RunBackoff backoff;
  for (const int expected : {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
    EXPECT_EQ(backoff.Next(milliseconds(9'999)).count(), expected);
  }
}

TEST(RunBackoff, BeginsAgainAfterALongLife) {
  RunBackoff backoff;
  backoff.Next(milliseconds(0));
  backoff.Next(milliseconds(0));
  EXPECT_EQ(backoff.Next(milliseconds(10'000)).count(), 50);
  EXPECT_EQ(backoff.Next(milliseconds(0)).count(), 100);
}

TEST(Run, StartsTheBrokerAndATokenhostForEachFile) {
  RunFixture run;
  run.AddToken("one");
  run.AddToken("two");
  run.Start();
  ASSERT_TRUE(run.ReadOut(kReady)) << run.output();
  std::set<std::string> started;
  for (int i = 0; i < 6; ++i) {
    const Event event = run.Next();
    if (event.what.substr(0, 5) == "start") {
      started.insert(event.name + ": " + event.what.substr(0, event.what.find(" | ")));
      EXPECT_THAT(event.what, HasSubstr(" | /dev/null own-session alone"));
    }
  }
  const std::string config = "start --config " + run.settings.file.string();
  EXPECT_EQ(started,
            (std::set<std::string>{"keybrokerd: " + config,
                                   "keybroker-tokenhost.one: " + config + " --token one",
                                   "keybroker-tokenhost.two: " + config + " --token two"}));
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), 0);
}

TEST(Run, IsReadyOnlyWhenAllAre) {
  RunFixture run;
  run.AddToken("one");
  run.Plan("keybroker-tokenhost.one", "mute\n");
  run.Start();
  // The two programs' events come in either order.
  Event mute;
  for (bool ready = false; !ready || mute.pid == 0;) {
    const Event event = run.Next();
    ASSERT_FALSE(event.name.empty());
    if (event.name == "keybrokerd" && event.what.substr(0, 5) == "ready") ready = true;
    if (event.name == "keybroker-tokenhost.one" && event.what.substr(0, 5) == "start") mute = event;
  }
  // Its successor is ready, and only then all are.
  ASSERT_GT(mute.pid, 0);  // 0 would be the whole process group
  ASSERT_EQ(::kill(mute.pid, SIGKILL), 0);
  run.EventOf("keybroker-tokenhost.one", "ready");
  ASSERT_TRUE(run.ReadOut(kReady));
  const size_t restarted = run.output().find("it is started again in 50 ms");
  ASSERT_NE(restarted, std::string::npos) << run.output();
  EXPECT_LT(restarted, run.output().find(kReady));
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), 0);
}

TEST(Run, ReapsAndStopsWhileAChildFloodsIt) {
  RunFixture run;
  run.AddToken("one");
  run.Plan("keybrokerd", "flood\n");
  run.Start();
  ASSERT_TRUE(run.ReadOut(kReady)) << run.output();
  const Event first = run.EventOf("keybroker-tokenhost.one", "start");
  ASSERT_GT(first.pid, 0);  // 0 would be the whole process group
  ASSERT_EQ(::kill(first.pid, SIGKILL), 0);
  EXPECT_TRUE(run.ReadOut("it is started again in 50 ms")) << run.output();
  run.EventOf("keybroker-tokenhost.one", "ready");
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait(), 0);
}

TEST(Run, StartsADeadProgramAgain) {
  RunFixture run;
  run.AddToken("one");
  run.Start();
  const Event first = run.EventOf("keybroker-tokenhost.one", "start");
  ASSERT_TRUE(run.ReadOut(kReady));
  ASSERT_GT(first.pid, 0);  // 0 would be the whole process group
  ASSERT_EQ(::kill(first.pid, SIGKILL), 0);
  const Event second = run.EventOf("keybroker-tokenhost.one", "start");
  EXPECT_NE(second.pid, first.pid);
  ASSERT_TRUE(run.ReadOut("it is started again in 50 ms"));
  EXPECT_THAT(run.output(),
              HasSubstr("keybroker-tokenhost one (pid " + std::to_string(first.pid) +
                        ") was ended by signal 9 (Killed); it is started again in 50 ms"));
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), 0);
}

TEST(Run, EndsWhenAProgramRefusesItsConfiguration) {
  RunFixture run;
  run.AddToken("one");
  run.Plan("keybroker-tokenhost.one", "exit 78\n");
  run.Start();
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.output(), HasSubstr("it will not start until what it said above is put right"));
  EXPECT_THAT(run.output(), Not(HasSubstr("keybroker: ready")));
}

TEST(Run, KeepsTryingWhenAConfigurationBreaksLater) {
  RunFixture run;
  run.Start();
  const Event first = run.EventOf("keybrokerd", "start");
  ASSERT_TRUE(run.ReadOut(kReady));
  run.Plan("keybrokerd", "exit 78\n");
  ASSERT_GT(first.pid, 0);  // 0 would be the whole process group
  ASSERT_EQ(::kill(first.pid, SIGKILL), 0);
  run.EventOf("keybrokerd", "start");
  run.EventOf("keybrokerd", "ready");
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), 0);
  EXPECT_THAT(run.output(), HasSubstr("ended with exit code 78; it is started again in 100 ms"));
}

TEST(Run, PassesSighupOnAndFollowsTheTokensFolder) {
  RunFixture run;
  run.AddToken("one");
  run.AddToken("two");
  run.Start();
  ASSERT_TRUE(run.ReadOut(kReady));
  run.AddToken("three");
  std::filesystem::remove(run.dir / "tokens.d/one.toml");
  run.Signal(SIGHUP);
  std::set<std::string> seen;
  const std::set<std::string> expected{"keybroker-tokenhost.one SIGTERM",
                                       "keybroker-tokenhost.two SIGHUP",
                                       "keybroker-tokenhost.three ready", "keybrokerd SIGHUP"};
  while (seen.size() < expected.size()) {
    const Event event = run.Next();
    ASSERT_FALSE(event.name.empty());
    const std::string text = event.name + " " + event.what;
    if (expected.count(text) != 0) seen.insert(text);
    EXPECT_NE(text, "keybroker-tokenhost.two SIGTERM");
    EXPECT_NE(text, "keybrokerd SIGTERM");
  }
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), 0);
}

TEST(Run, StopsTheBrokerFirstAndLeavesNothingRunning) {
  RunFixture run;
  run.AddToken("one");
  run.Start();
  ASSERT_TRUE(run.ReadOut(kReady));
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait(), 0);
  const Event broker = run.EventOf("keybrokerd", "SIGTERM");
  const Event tokenhost = run.EventOf("keybroker-tokenhost.one", "SIGTERM");
  EXPECT_TRUE(IsGone(broker.pid));
  EXPECT_TRUE(IsGone(tokenhost.pid));
}

TEST(Run, KillsWhatDoesNotStop) {
  RunFixture run;
  run.Plan("keybrokerd", "stubborn\n");
  run.options.stop_deadline = milliseconds(400);
  run.Start();
  const Event broker = run.EventOf("keybrokerd", "ready");
  ASSERT_TRUE(run.ReadOut(kReady));
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait(), 0);
  EXPECT_THAT(run.output(), HasSubstr("keybrokerd does not stop and is killed"));
  EXPECT_TRUE(IsGone(broker.pid));
}

TEST(Run, LeavesNothingBehindWhenItIsKilled) {
  RunFixture run;
  run.AddToken("one");
  run.Start();
  ASSERT_TRUE(run.ReadOut(kReady));
  run.Signal(SIGKILL);
  EXPECT_EQ(run.Wait(), 137);
  std::set<std::string> ended;
  while (ended.size() < 2) {
    const Event event = run.Next();
    ASSERT_FALSE(event.name.empty());
    if (event.what != "SIGTERM") continue;
    EXPECT_TRUE(IsGone(event.pid));
    ended.insert(event.name);
  }
}

TEST(Run, HasEachProgramCheckItsConfiguration) {
  RunFixture run;
  run.AddToken("one");
  run.options.check = true;
  run.Plan("keybrokerd", "exit 0\nexit 0\n");
  run.Plan("keybroker-tokenhost.one", "exit 0\nexit 78\n");
  run.Start();
  EXPECT_EQ(run.Wait(), 0);
  const std::string config = "start --config " + run.settings.file.string();
  EXPECT_THAT(run.Next().what, HasSubstr(config + " --check | "));
  EXPECT_THAT(run.Next().what, HasSubstr(config + " --token one --check | "));
  run.Start();
  EXPECT_EQ(run.Wait(), 1);
}

TEST(Run, SaysWhereItLookedForThePrograms) {
  RunFixture run;
  std::filesystem::remove(run.dir / "keybroker-tokenhost");
  run.Start();
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.output(), HasSubstr("there is no keybrokerd with a keybroker-tokenhost in " +
                                      run.dir.path().string()));
}

}  // namespace
}  // namespace keybroker::cli
