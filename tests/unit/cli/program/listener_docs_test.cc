#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::ReadAll;
using keybroker::test::RunCommand;
using keybroker::test::TempDir;
using keybroker::test::WriteAll;
using ::testing::HasSubstr;

TEST(ListenerDocs, ShowWhatListenerConfigPrints) {
  const auto checked =
      RunCommand({KB_SOURCE_DIR "/docs/listeners/generate", KB_BUILD_DIR "/bin", "--check"});
  EXPECT_EQ(checked.status, 0) << checked.out << checked.err
                               << "run docs/listeners/generate " KB_BUILD_DIR "/bin";
}

// The check itself: a changed line, and a kind of server without a page.
TEST(ListenerDocs, ThatDifferAreFound) {
  const TempDir copy;
  std::filesystem::copy(KB_SOURCE_DIR "/docs/listeners", copy.path());
  std::string page = ReadAll(copy / "nginx.md");
  const size_t at = page.find("ssl_certificate_key ");
  ASSERT_NE(at, std::string::npos);
  WriteAll(copy / "nginx.md", page.replace(at, 3, "tls"));
  std::filesystem::remove(copy / "exim.md");
  const auto checked = RunCommand({copy / "generate", KB_BUILD_DIR "/bin", "--check"});
  EXPECT_EQ(checked.status, 1);
  EXPECT_THAT(checked.out, HasSubstr("-tls_certificate_key "));
  EXPECT_THAT(checked.out, HasSubstr("exim.md is missing"));
}

}  // namespace
}  // namespace keybroker::cli::test
