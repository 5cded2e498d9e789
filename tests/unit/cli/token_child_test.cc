#include "cli/token_child.h"

#include "cli/child_words.h"
#include "cli/interruption.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {
namespace {

using ::testing::HasSubstr;

// As root the child becomes this user, who is on every host.
const std::string kUser = "nobody";

TEST(TokenChild, RunsAsTheUserInAProcessOfItsOwn) {
  const auto json = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    return Json{{"uid", ::getuid()}, {"pid", ::getpid()}};
  });
  ASSERT_TRUE(json.has_value()) << json.error().detail;
  EXPECT_NE(GetNumber(*json, "pid"), ::getpid());
  if (::getuid() == 0) {
    EXPECT_NE(GetNumber(*json, "uid"), 0);
  } else {
    EXPECT_EQ(GetNumber(*json, "uid"), ::getuid());
  }
}

TEST(TokenChild, HasNoTerminalAndNothingThatTheCommandOpened) {
  static constexpr std::string_view kSteering = "\x1b[2Jvendor\n";
  const UniqueFd log(::open("/proc/self/status", O_RDONLY));  // inherited unless it is closed
  const UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  ASSERT_EQ(::grantpt(master.get()) | ::unlockpt(master.get()), 0);
  const UniqueFd terminal(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  const UniqueFd before(::dup(STDERR_FILENO));
  ::dup2(terminal.get(), STDERR_FILENO);
  const auto json = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    int open = 0;
    for (int fd = 3; fd < 1024; ++fd) open += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    const UniqueFd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC));
    return Json{{"own_session", ::getsid(0) == ::getpid()},
                {"open", open},
                {"controls", static_cast<bool>(tty)},
                {"stdin", std::filesystem::read_symlink("/proc/self/fd/0").string()},
                {"terminals", ::isatty(STDOUT_FILENO) + ::isatty(STDERR_FILENO)},
                {"wrote", ::write(STDERR_FILENO, kSteering.data(), kSteering.size())},
                {"room", ::pwrite(STDERR_FILENO, "x", 1, ChildWords::kMost)}};
  });
  ::dup2(before.get(), STDERR_FILENO);
  ASSERT_TRUE(json.has_value()) << json.error().detail;
  EXPECT_TRUE((*json)["own_session"]);
  EXPECT_FALSE((*json)["controls"]);
  EXPECT_EQ((*json)["open"], 1);  // the answer's socket
  EXPECT_EQ((*json)["stdin"], "/dev/null");
  EXPECT_EQ((*json)["terminals"], 0);
  EXPECT_EQ((*json)["wrote"], kSteering.size());
  EXPECT_EQ((*json)["room"], -1);
  std::string shown(256, '\0');
  const ssize_t size = ::read(master.get(), shown.data(), shown.size());
  shown.resize(size < 0 ? 0 : static_cast<size_t>(size));
  EXPECT_THAT(shown, ::testing::HasSubstr("[2Jvendor"));
  EXPECT_THAT(shown, ::testing::Not(::testing::HasSubstr("\x1b")));
}

TEST(TokenChild, GetsTheSecretsInTheirOrder) {
  const auto first = Secret::CopyFrom("first");
  const auto second = Secret::CopyFrom("second, which is longer");
  ASSERT_TRUE(first && second);
  const auto json =
      RunAsUser(kUser, {&*first, &*second}, [](const std::vector<Secret>& secrets) -> Result<Json> {
        Json texts = Json::array();
        for (const Secret& secret : secrets) {
          const auto bytes = secret.Expose();
          texts.push_back(std::string(bytes.begin(), bytes.end()));
        }
        return texts;
      });
  ASSERT_TRUE(json.has_value()) << json.error().detail;
  EXPECT_EQ(*json, Json({"first", "second, which is longer"}));
}

TEST(TokenChild, HandsItsErrorOn) {
  const auto json = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    return Fail(Denied("the PIN is wrong", 0xa0));
  });
  ASSERT_FALSE(json.has_value());
  EXPECT_EQ(json.error().code, ErrorCode::kDenied);
  EXPECT_EQ(json.error().rv, 0xa0UL);
  EXPECT_EQ(json.error().detail, "the PIN is wrong");
}

TEST(TokenChild, ThatCrashesIsAnError) {
  const auto json = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    ::raise(SIGKILL);
    return Json();
  });
  ASSERT_FALSE(json.has_value());
  EXPECT_EQ(json.error().code, ErrorCode::kTokenFailed);
  EXPECT_THAT(json.error().detail, HasSubstr("ended by signal 9"));
}

TEST(TokenChild, ThatSaysNothingIsAnError) {
  const auto json = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> { ::_exit(0); });
  ASSERT_FALSE(json.has_value());
  EXPECT_THAT(json.error().detail, HasSubstr("does not parse"));
}

TEST(TokenChild, ThatThrowsIsAnError) {
  const auto json = RunAsUser(
      kUser, {}, [](const auto&) -> Result<Json> { throw std::runtime_error("out of paper"); });
  ASSERT_FALSE(json.has_value());
  EXPECT_EQ(json.error().code, ErrorCode::kInternal);
  EXPECT_EQ(json.error().detail, "out of paper");
}

TEST(TokenChild, AnswersOfAnySizeCome) {
  const auto json = RunAsUser(
      kUser, {}, [](const auto&) -> Result<Json> { return Json(std::string(1 << 20, 'x')); });
  ASSERT_TRUE(json.has_value()) << json.error().detail;
  EXPECT_EQ(json->get<std::string>().size(), size_t{1} << 20);
}

TEST(TokenChild, AsksItsParentAndGetsAnswersAndErrors) {
  const auto work = [](const std::vector<Secret>&, const Ask& ask) -> Result<Json> {
    KB_ASSIGN(const Json twice, ask(Json{{"number", 21}, {"text", std::string(100000, '\n')}}));
    const auto refused = ask(Json{{"number", 0}});
    return Json{{"twice", twice}, {"refused", refused ? "" : refused.error().detail}};
  };
  const auto json = RunAsUser(kUser, {}, work, [](const Json& question) -> Result<Json> {
    const int64_t number = GetNumber(question, "number");
    if (number == 0) return Fail(Denied("not that one"));
    return Json(2 * number);
  });
  ASSERT_TRUE(json.has_value()) << json.error().detail;
  EXPECT_EQ(*json, Json({{"twice", 42}, {"refused", "not that one"}}));
}

TEST(TokenChild, ThatDiesOverItsQuestionIsAnError) {
  pid_t child = 0;
  const auto work = [](const std::vector<Secret>&, const Ask& ask) -> Result<Json> {
    return ask(Json{{"pid", ::getpid()}});
  };
  const auto json = RunAsUser(kUser, {}, work, [&](const Json& question) -> Result<Json> {
    child = static_cast<pid_t>(GetNumber(question, "pid"));
    ::kill(child, SIGKILL);
    return Json("too late");
  });
  ASSERT_FALSE(json.has_value());
  EXPECT_THAT(json.error().detail, HasSubstr("ended by signal 9"));
}

TEST(TokenChild, AnswersNestedDeeperThanAnyOfOursAreRefused) {
  for (const int depth : {20, 40}) {
    const auto json = RunAsUser(kUser, {}, [&](const auto&) -> Result<Json> {
      Json nested = "[[]]";  // in a text brackets do not count
      for (int i = 0; i < depth; ++i) nested = Json::array({nested});
      return nested;
    });
    ASSERT_EQ(json.has_value(), depth == 20);
    EXPECT_THAT(json ? "" : json.error().detail, HasSubstr(json ? "" : "does not parse"));
  }
}

// Asker asks this process to end so often, a while apart.
class Asker {
 public:
  explicit Asker(int times)
      : thread_([times] {
          for (int i = 0; i < times; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            ::kill(::getpid(), SIGTERM);
          }
        }) {}
  ~Asker() { thread_.join(); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

 private:
  std::thread thread_;
};

// A vendor's module may do as it likes with signals: asked again, the command ends all the same.
TEST(TokenChild, ThatIgnoresSignalsIsKilledWhenAskedAgain) {
  const Interruption interruption;
  const Interruption::Finishing finishing;
  const Asker asker(2);
  const auto done = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    ::signal(SIGTERM, SIG_IGN);
    for (;;) ::pause();
  });
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().detail, HasSubstr("still at work"));
}

TEST(TokenChild, IsLetFinishWhenTheCommandIsAskedOnce) {
  const Interruption interruption;
  const Interruption::Finishing finishing;
  const Asker asker(1);
  const auto done = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    ::sleep(2);
    return Json{{"done", true}};
  });
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_TRUE(Interruption::Asked());
}

TEST(TokenChild, IsGivenUpWhenTheCommandIsAskedAndNothingIsChanged) {
  const Interruption interruption;
  const Asker asker(1);
  const auto done = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    for (;;) ::pause();
  });
  EXPECT_FALSE(done);
}

TEST(TokenChild, ThatNeverStopsTalkingIsEndedAllTheSame) {
  const Interruption interruption;
  const Asker asker(1);
  const auto done = RunAsUser(
      kUser, {},
      [](const auto&, const Ask& ask) -> Result<Json> {
        for (;;) static_cast<void>(ask(Json{{"more", true}}));
      },
      [](const Json&) -> Result<Json> {
        return Json{{"no", "end"}};
      });
  EXPECT_FALSE(done);
}

TEST(TokenChild, IsAnErrorWhenOnlyItsOwnChildIsLeft) {
  const auto done = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    if (::fork() == 0) {
      ::sleep(30);
      ::_exit(0);
    }
    ::_exit(0);
  });
  EXPECT_FALSE(done);
}

TEST(TokenChild, HasNothingOfTheOperatorsEnvironment) {
  ::setenv("KB_TEST_OF_THE_OPERATOR", "hunter2", 1);
  const auto json = RunAsUser(kUser, {}, [](const auto&) -> Result<Json> {
    return Json{{"has", ::getenv("KB_TEST_OF_THE_OPERATOR") != nullptr},
                {"path", ::getenv("PATH")}};
  });
  ::unsetenv("KB_TEST_OF_THE_OPERATOR");
  ASSERT_TRUE(json.has_value()) << json.error().detail;
  EXPECT_EQ((*json)["has"], false);
  EXPECT_EQ((*json)["path"], "/usr/sbin:/usr/bin:/sbin:/bin");
}

TEST(TokenChild, AnswersWithoutEndAreRefused) {
  const auto json = RunAsUser(
      kUser, {}, [](const auto&) -> Result<Json> { return Json(std::string(17 << 20, 'x')); });
  ASSERT_FALSE(json.has_value());
  EXPECT_THAT(json.error().detail, HasSubstr("too long"));
}

}  // namespace
}  // namespace keybroker::cli
