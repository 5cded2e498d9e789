#include <gtest/gtest.h>

#include <string>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

TEST(ManPages, AreWhatHelpSays) {
  const keybroker::test::TempDir out;
  const auto made = keybroker::test::RunCommand(
      {KB_SOURCE_DIR "/docs/man/generate", KB_BUILD_DIR "/bin", out.path()});
  ASSERT_EQ(made.status, 0) << made.err;
  for (const char* page : {"keybroker.1", "keybrokerd.8", "keybroker-tokenhost.8"}) {
    EXPECT_EQ(keybroker::test::ReadAll(out / page),
              keybroker::test::ReadAll(std::string(KB_SOURCE_DIR "/docs/man/") + page))
        << "run docs/man/generate " KB_BUILD_DIR "/bin";
  }
}

// Every verb's --help has an example.
TEST(ManPages, HaveAnExampleForEveryCommand) {
  const std::string page = keybroker::test::ReadAll(KB_SOURCE_DIR "/docs/man/keybroker.1");
  size_t commands = 0;
  for (size_t at = page.find("\n.SS "); at != std::string::npos; ++commands) {
    const size_t next = page.find("\n.SS ", at + 1);
    EXPECT_NE(page.substr(at, next - at).find("Example:\n  keybroker "), std::string::npos)
        << page.substr(at, page.find('\n', at + 1) - at);
    at = next;
  }
  EXPECT_GE(commands, 28U);
}

}  // namespace
}  // namespace keybroker::cli::test
