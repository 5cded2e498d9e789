#include "cli/scratch_token.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

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

}  // namespace
}  // namespace keybroker::cli
