#include "cli/scratch_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace keybroker::cli {
namespace {

TEST(ScratchFolder, BelongsToAUserThatNothingElseRunsAs) {
  const auto json = RunInScratchFolder(
      ScratchPlace::kPreferMemory, {}, [](const auto& folder, const auto&) -> Result<Json> {
        struct stat info {};
        if (::stat(folder.c_str(), &info) != 0) return Fail(SystemError("stat", errno));
        return Json{{"uid", ::geteuid()}, {"owner", info.st_uid}, {"mode", info.st_mode & 07777}};
      });
  ASSERT_TRUE(json) << json.error().detail;
  const auto uid = (*json)["uid"].get<uid_t>();
  EXPECT_EQ((*json)["owner"], uid);
  EXPECT_EQ((*json)["mode"], 0700);
  if (::geteuid() == 0) {
    EXPECT_EQ(::getpwuid(uid), nullptr);
    EXPECT_GE(uid, 61184U);
  } else {
    EXPECT_EQ(uid, ::geteuid());
  }
}

TEST(ScratchFolder, ThatWasLeftIsFoundWhenNobodyRunsAsItsUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a folder away";
  const auto folder = ScratchFolder::Make(ScratchPlace::kPreferMemory, "61999");
  ASSERT_TRUE(folder) << folder.error().detail;
  EXPECT_THAT(LeftScratchFolders(), ::testing::Contains(folder->path()));
  EXPECT_EQ(::lchown(folder->path().c_str(), 0, 0), 0);
  EXPECT_THAT(LeftScratchFolders(), ::testing::Not(::testing::Contains(folder->path())));
}

// The kernel ends a process that it has no memory for, and asks nobody.
TEST(ScratchFolder, IsRemovedWhenItsProcessWasKilled) {
  std::filesystem::path seen;
  {
    auto child = ScratchChild::Start(ScratchPlace::kPreferMemory, {},
                                     [](const auto& folder, const auto&) -> Result<Json> {
                                       std::ofstream(folder / "object") << "of a token";
                                       ::raise(SIGKILL);
                                       return Json();
                                     });
    ASSERT_TRUE(child) << child.error().detail;
    seen = child->folder();
    const auto json = std::move(*child).Await();
    ASSERT_FALSE(json);
    EXPECT_NE(json.error().detail.find("signal 9"), std::string::npos) << json.error().detail;
  }
  std::error_code error;
  EXPECT_FALSE(std::filesystem::exists(seen, error)) << seen;
}

}  // namespace
}  // namespace keybroker::cli
