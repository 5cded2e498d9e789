#include "cli/pin.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/temp_dir.h"

namespace keybroker::cli {
namespace {

// What a terminal showed, and how the program that used it ended.
struct Seen {
  std::string screen;
  int status;
};

// OnTerminal runs program with a terminal of its own, and types each answer after its prompt.
template <typename Program>
Seen OnTerminal(Program program, const std::vector<std::pair<std::string, std::string>>& dialogue) {
  int terminal = -1;
  const pid_t pid = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid == 0) ::_exit(program());
  Seen seen{"", -1};
  size_t answered = 0;
  size_t from = 0;
  char byte;
  // The terminal's end is an error (EIO) on Linux: either way nothing more comes.
  while (::read(terminal, &byte, 1) == 1) {
    seen.screen += byte;
    if (answered == dialogue.size()) continue;
    const auto& [prompt, answer] = dialogue[answered];
    if (seen.screen.find(prompt, from) == std::string::npos) continue;
    from = seen.screen.size();
    ++answered;
    EXPECT_EQ(::write(terminal, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  seen.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ::close(terminal);
  return seen;
}

bool IsPin(const Result<Secret>& pin, const std::string& text) {
  const auto wanted = Secret::CopyFrom(text);
  return pin && wanted && pin->Equals(*wanted);
}

TEST(PinPrompt, TakesALineWithoutEchoAndWithCorrections) {
  const Seen seen =
      OnTerminal([] { return IsPin(AskPin({}, "PIN", false), "4711") ? 0 : 1; }, {{"PIN: ",
                                                                                   "wrong\x15"
                                                                                   "47x\x7f"
                                                                                   "11\n"}});
  EXPECT_EQ(seen.status, 0);
  EXPECT_EQ(seen.screen, "PIN: \r\n");
}

TEST(PinPrompt, AsksTwiceForANewOne) {
  const auto ask = [] { return IsPin(AskPin({}, "new PIN", true), "4711") ? 0 : 1; };
  EXPECT_EQ(OnTerminal(ask, {{"new PIN: ", "4711\n"}, {"once more: ", "4711\n"}}).status, 0);
  EXPECT_EQ(OnTerminal(ask, {{"new PIN: ", "4711\n"}, {"once more: ", "4712\n"}}).status, 1);
}

TEST(PinPrompt, EndsAtControlC) {
  const Seen seen = OnTerminal(
      [] {
        const auto pin = AskPin({}, "PIN", false);
        return !pin && pin.error().detail ==
                           "interrupted at the prompt for the PIN: nothing was "
                           "changed"
                   ? 0
                   : 1;
      },
      {{"PIN: ", "47\x03"}});
  EXPECT_EQ(seen.status, 0);
}

TEST(PinPrompt, EmptyOrTooLongIsRefused) {
  const auto ask = [] {
    const auto pin = AskPin({}, "PIN", false);
    return !pin && pin.error().code == ErrorCode::kMalformed ? 0 : 1;
  };
  EXPECT_EQ(OnTerminal(ask, {{"PIN: ", "\n"}}).status, 0);
  EXPECT_EQ(OnTerminal(ask, {{"PIN: ", std::string(300, '1') + "\n"}}).status, 0);
}

TEST(PinSource, MayBeADescriptorOrAFile) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "4711\nrest", 9), 9);
  PinOptions from_descriptor;
  from_descriptor.fd = ends[0];
  EXPECT_TRUE(IsPin(AskPin(from_descriptor, "PIN", true), "4711"));
  ::close(ends[0]);
  ::close(ends[1]);
  const keybroker::test::TempDir dir;
  keybroker::test::WriteAll(dir / "pin", "4711\n");
  std::filesystem::permissions(dir / "pin", std::filesystem::perms::owner_read);
  PinOptions from_file;
  from_file.file = dir / "pin";
  EXPECT_TRUE(IsPin(AskPin(from_file, "PIN", true), "4711"));
}

TEST(PinSource, IsReadToItsEndFromADescriptorThatDoesNotBlock) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  ASSERT_EQ(::write(ends[1], "correct horse b", 15), 15);
  std::thread late([&] {
    while (::write(ends[1], "attery staple\n", 14) != 14) {
    }
  });
  PinOptions options;
  options.fd = ends[0];
  EXPECT_TRUE(IsPin(AskPin(options, "password", true), "correct horse battery staple"));
  late.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(PinSource, HasNoNulInIt) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "4711\0 and more\n", 15), 15);
  PinOptions options;
  options.fd = ends[0];
  const auto pin = AskPin(options, "password", true);
  ASSERT_FALSE(pin);
  EXPECT_THAT(pin.error().detail, testing::HasSubstr("NUL"));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Confirm, WantsTheNameTyped) {
  const auto ask = [] { return Confirm("This destroys it", "a.test", false) ? 0 : 1; };
  EXPECT_EQ(OnTerminal(ask, {{"Type a.test to go on: ", "a.test\n"}}).status, 0);
  EXPECT_EQ(OnTerminal(ask, {{"Type a.test to go on: ", "yes\n"}}).status, 1);
  EXPECT_TRUE(Confirm("This destroys it", "a.test", true).has_value());
}

TEST(Confirm, SaysThatControlCChangedNothing) {
  const auto ask = [] {
    const auto confirmed = Confirm("This destroys it", "a.test", false);
    return !confirmed && confirmed.error().detail ==
                             "interrupted before it was confirmed: nothing was changed"
               ? 7
               : 1;
  };
  EXPECT_EQ(OnTerminal(ask, {{"Type a.test to go on: ", "a.t\x03"}}).status, 7);
}

}  // namespace
}  // namespace keybroker::cli
