#include "keybroker/token/pin_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "support/temp_dir.h"

namespace keybroker::token {
namespace {

using testing::HasSubstr;

class PinGuardTest : public testing::Test {
 protected:
  PinGuard Open(std::string_view serial = "c0ffee") {
    auto guard = PinGuard::Open(directory_, serial, "hsm");
    EXPECT_TRUE(guard) << guard.error().detail;
    return std::move(*guard);
  }

  // Attempt is one whole login that the token answers with rv, by a program of its own.
  Status Attempt(CK_RV rv, CK_FLAGS flags = 0) {
    PinGuard guard = Open();
    KB_TRY(guard.Begin(flags));
    return guard.End(rv);
  }

  void ExpectRefused(const Status& status, const std::string& why) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kDenied);
    EXPECT_EQ(status.error().rv, 0u) << "nothing was tried, so there is no CK_RV";
    EXPECT_THAT(status.error().detail, HasSubstr(why));
  }

  Status AttemptTyped(CK_RV rv, CK_FLAGS flags = 0) {
    KB_ASSIGN(PinGuard guard, PinGuard::Open(directory_, "c0ffee", "hsm", PinOrigin::kTyped));
    KB_TRY(guard.Begin(flags));
    return guard.End(rv);
  }

  // DieInsideLogin is a process that is killed between Begin and End.
  void DieInsideLogin() {
    const pid_t child = fork();
    if (child == 0) {
      PinGuard guard = Open();
      if (guard.Begin(0)) raise(SIGKILL);
      _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "Begin refused";
  }

  test::TempDir temp_;
  std::filesystem::path directory_ = temp_ / "guard";
};

TEST_F(PinGuardTest, LetsEveryLoginThroughWhileThePinIsRight) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Attempt(CKR_OK));
  EXPECT_EQ(*Open().Blocked(0), "");
}

TEST_F(PinGuardTest, RefusesASecondLoginAfterOneWrongPin) {
  ASSERT_TRUE(Attempt(CKR_PIN_INCORRECT));
  ExpectRefused(Attempt(CKR_OK), "the last login was refused (CKR_PIN_INCORRECT)");
  ExpectRefused(Attempt(CKR_OK), "keybroker token unlock hsm");
}

TEST_F(PinGuardTest, RefusesAfterALockedPin) {
  ASSERT_TRUE(Attempt(CKR_PIN_LOCKED));
  ExpectRefused(Attempt(CKR_OK), "the last login was refused (CKR_PIN_LOCKED)");
}

TEST_F(PinGuardTest, HoldsATypedPinUpAndNotTheStandingOne) {
  ASSERT_TRUE(AttemptTyped(CKR_PIN_INCORRECT));
  ExpectRefused(AttemptTyped(CKR_OK), "the last PIN that was typed was refused");
  EXPECT_EQ(*Open().Blocked(0), "");
  EXPECT_TRUE(Attempt(CKR_OK));
  EXPECT_TRUE(AttemptTyped(CKR_OK)) << "the right PIN gave the token's tries back";
}

TEST_F(PinGuardTest, SpendsNoMoreThanOneTryOfEachOrigin) {
  ASSERT_TRUE(AttemptTyped(CKR_PIN_INCORRECT));
  ASSERT_TRUE(Attempt(CKR_PIN_INCORRECT));
  ExpectRefused(Attempt(CKR_OK), "CKR_PIN_INCORRECT");
  ExpectRefused(AttemptTyped(CKR_OK), "CKR_PIN_INCORRECT");
}

TEST_F(PinGuardTest, RefusesTheFinalTryAfterATypedPin) {
  ASSERT_TRUE(AttemptTyped(CKR_PIN_INCORRECT));
  ExpectRefused(Attempt(CKR_OK, CKF_USER_PIN_FINAL_TRY), "the next wrong PIN locks it");
}

TEST_F(PinGuardTest, RefusesTheFinalTry) {
  ExpectRefused(Attempt(CKR_OK, CKF_USER_PIN_FINAL_TRY),
                "the token says that the next wrong PIN locks it");
  EXPECT_TRUE(Attempt(CKR_OK));
}

TEST_F(PinGuardTest, LetsExactlyOneTryThroughOnTheOperatorsWord) {
  ASSERT_TRUE(Attempt(CKR_PIN_INCORRECT));
  ASSERT_TRUE(Open().Allow());
  EXPECT_TRUE(Attempt(CKR_PIN_INCORRECT, CKF_USER_PIN_FINAL_TRY));
  ExpectRefused(Attempt(CKR_OK), "CKR_PIN_INCORRECT");
  ASSERT_TRUE(Open().Allow());
  EXPECT_TRUE(Attempt(CKR_OK));
  EXPECT_TRUE(Attempt(CKR_OK));
}

TEST_F(PinGuardTest, RefusesALockedPinWhateverTheOperatorSays) {
  ASSERT_TRUE(Open().Allow());
  ExpectRefused(Attempt(CKR_OK, CKF_USER_PIN_LOCKED), "the token has locked the PIN");
}

TEST_F(PinGuardTest, KeepsAWrongPinOnRecordWhenTheTokenFailsAfterwards) {
  ASSERT_TRUE(Attempt(CKR_PIN_INCORRECT));
  ASSERT_TRUE(Open().Allow());
  ASSERT_TRUE(Attempt(CKR_DEVICE_REMOVED));
  ExpectRefused(Attempt(CKR_OK), "CKR_PIN_INCORRECT");
}

TEST_F(PinGuardTest, CountsNoFailureThatIsNotAboutThePin) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Attempt(CKR_TOKEN_NOT_PRESENT));
}

TEST_F(PinGuardTest, ToleratesOneCrashInsideLoginAndBlocksAfterTwo) {
  DieInsideLogin();
  EXPECT_EQ(*Open().Blocked(0), "");
  DieInsideLogin();
  ExpectRefused(Attempt(CKR_OK), "2 logins in a row were cut short");
  ASSERT_TRUE(Open().Allow());
  EXPECT_TRUE(Attempt(CKR_OK));
  EXPECT_EQ(*Open().Blocked(0), "");
}

TEST_F(PinGuardTest, ForgetsACrashAfterALoginThatWorked) {
  DieInsideLogin();
  ASSERT_TRUE(Attempt(CKR_OK));
  DieInsideLogin();
  EXPECT_TRUE(Attempt(CKR_OK));
}

// A line of /proc/locks with "->" is a process that waits for a lock.
bool WaitsForALock(pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    std::ifstream locks("/proc/locks");
    for (std::string line; std::getline(locks, line);) {
      if (line.find("-> FLOCK") != std::string::npos &&
          line.find(" " + std::to_string(pid) + " ") != std::string::npos) {
        return true;
      }
    }
  }
  return false;
}

TEST_F(PinGuardTest, MakesASecondProcessWaitAndThenRefusesIt) {
  PinGuard guard = Open();
  ASSERT_TRUE(guard.Begin(0));
  const pid_t child = fork();
  if (child == 0) {
    auto other = PinGuard::Open(directory_, "c0ffee", "hsm");
    const Status status = other->Begin(0);
    _exit(!status && status.error().code == ErrorCode::kDenied ? 0 : 1);
  }
  EXPECT_TRUE(WaitsForALock(child));
  ASSERT_TRUE(guard.End(CKR_PIN_INCORRECT));
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "the second process tried the wrong PIN again";
}

TEST_F(PinGuardTest, KeepsTokensApart) {
  ASSERT_TRUE(Attempt(CKR_PIN_INCORRECT));
  PinGuard other = Open("decaf");
  EXPECT_TRUE(other.Begin(0));
}

TEST_F(PinGuardTest, StaysInItsDirectoryWhateverATokenCallsItself) {
  PinGuard guard = Open("../../etc/x");
  ASSERT_TRUE(guard.Begin(0));
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    files.push_back(entry.path().filename());
  }
  EXPECT_THAT(files, testing::UnorderedElementsAre("serial-2e2e2f2e2e2f6574632f78.toml",
                                                   "serial-2e2e2f2e2e2f6574632f78.toml.lock"));
}

TEST_F(PinGuardTest, MakesItsDirectoryForItsOwnerOnly) {
  Open();
  struct stat info {};
  ASSERT_EQ(stat(directory_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(PinGuardTest, RefusesADirectoryThatOthersCanWriteTo) {
  ASSERT_EQ(mkdir(directory_.c_str(), 0700), 0);
  ASSERT_EQ(chmod(directory_.c_str(), 0770), 0);
  const auto guard = PinGuard::Open(directory_, "c0ffee", "hsm");
  ASSERT_FALSE(guard);
  EXPECT_EQ(guard.error().code, ErrorCode::kDenied);
  EXPECT_THAT(guard.error().detail, HasSubstr("chmod 0700"));
}

TEST_F(PinGuardTest, TriesNothingOnADamagedRecordUntilTheOperatorAllowsIt) {
  ASSERT_TRUE(Attempt(CKR_OK));
  test::WriteAll(directory_ / "serial-633066666565.toml", "unresolved = = 2\n");
  const Status status = Attempt(CKR_OK);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(status.error().detail, HasSubstr("serial-633066666565.toml:1"));
  ASSERT_TRUE(Open().Allow());
  EXPECT_TRUE(Attempt(CKR_OK));
}

}  // namespace
}  // namespace keybroker::token
