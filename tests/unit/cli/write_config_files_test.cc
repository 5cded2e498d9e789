#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "cli/listener_config/write.h"
#include "support/temp_dir.h"

namespace keybroker::cli {
namespace {

using keybroker::test::ReadAll;
using keybroker::test::TempDir;
using keybroker::test::WriteAll;

constexpr int kRounds = 2000;
constexpr int kWritten = 10;

// The directory is another user's, who changes it for a link while root looks and writes.
TEST(WriteConfigFiles, ReplaceNothingInADirectoryThatTookTheirOnesPlace) {
  const TempDir temp;
  for (const char* each : {"own", "victim"}) std::filesystem::create_directory(temp / each);
  std::filesystem::create_directory_symlink(temp / "victim", temp / "link");
  WriteAll(temp / "victim/openssl.cnf", "not ours");
  const std::string own = temp / "own";
  const std::string link = temp / "link";
  std::atomic<bool> ends = false;
  std::thread other([&] {
    while (!ends) ::renameat2(AT_FDCWD, own.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  });
  int written = 0;
  for (int round = 0; round < kRounds || written < kWritten; ++round) {
    // Another text each time, so that it is written each time.
    const std::string text = kMadeHere + std::to_string(round);
    const auto done = WriteConfigFiles(own, {{"openssl.cnf", "", text}});
    if (done) ++written;
    EXPECT_TRUE(done.has_value() || done.error().code == ErrorCode::kConflict ||
                done.error().code == ErrorCode::kDenied)
        << done.error().detail;
  }
  ends = true;
  other.join();
  EXPECT_EQ(ReadAll(temp / "victim/openssl.cnf"), "not ours");
}

}  // namespace
}  // namespace keybroker::cli
