#include "keybroker/base/log.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace keybroker {
namespace {

// Logged gives what fn writes to stderr in a process of its own; journal says whether
// JOURNAL_STREAM names that stderr.
template <typename Fn>
std::string Logged(Fn fn, bool journal = false) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    struct stat info {};
    ::fstat(STDERR_FILENO, &info);
    const std::string stream = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
    ::setenv("JOURNAL_STREAM", journal ? stream.c_str() : "8:4711", 1);
    fn();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return text;
}

TEST(Log, WritesOneLineWithTheProgramsName) {
  EXPECT_EQ(Logged([] { Log(LogLevel::kNotice, "hello"); }), "keybroker: hello\n");
  EXPECT_EQ(Logged([] {
              SetLogName("keybrokerd");
              Log(LogLevel::kNotice, "hello");
            }),
            "keybrokerd: hello\n");
}

TEST(Log, CarriesItsLevelWhenTheJournalReads) {
  EXPECT_EQ(Logged([] { Log(LogLevel::kError, "x"); }, true), "<3>keybroker: x\n");
  EXPECT_EQ(Logged([] { Log(LogLevel::kInfo, "x"); }, true), "<6>keybroker: x\n");
}

TEST(Log, EscapesWhatCouldForgeALine) {
  using std::string_literals::operator""s;
  EXPECT_EQ(Logged([] { Log(LogLevel::kNotice, "a\nkeybroker: b\r\x1b[2J\0\x7f"s); }),
            "keybroker: a\\x0akeybroker: b\\x0d\\x1b[2J\\x00\\x7f\n");
  EXPECT_EQ(Logged([] { Log(LogLevel::kNotice, "\xc3\xa9\xc2\x9b\xff\xc3"); }),
            "keybroker: \xc3\xa9\\xc2\\x9b\\xff\\xc3\n");
}

TEST(Log, ShowsAnErrorWithCodeAndReturnValue) {
  EXPECT_EQ(Logged([] { LogError("reading x", NotFound("no such file")); }),
            "keybroker: reading x: no such file [not-found]\n");
  EXPECT_EQ(Logged([] { LogError("login", TokenFailed("the token refused", 0xa0)); }),
            "keybroker: login: the token refused [token-failed, CK_RV 0xa0]\n");
}

TEST(Error, HasAWordForEveryCodeAndKnowsItsOrigin) {
  const std::pair<Error, std::string_view> errors[] = {
      {Denied(""), "denied"},
      {NotFound(""), "not-found"},
      {Malformed(""), "malformed"},
      {Unavailable(""), "unavailable"},
      {TokenFailed(""), "token-failed"},
      {Internal(""), "internal"},
      {Conflict(""), "conflict"},
  };
  for (const auto& [error, name] : errors) {
    EXPECT_EQ(ErrorCodeName(error.code), name);
    EXPECT_NE(std::string_view(error.origin).find("log_test.cc"), std::string_view::npos);
    EXPECT_GT(error.line, 0);
  }
  const Error system = SystemError("open x", ENOENT);
  EXPECT_EQ(system.code, ErrorCode::kInternal);
  EXPECT_EQ(system.detail, "open x: No such file or directory");
}

}  // namespace
}  // namespace keybroker
