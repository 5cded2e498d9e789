#include "tokenhost/directories.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/temp_dir.h"

namespace keybroker::tokenhost {
namespace {

constexpr uid_t kOther = 64002;

struct stat StatOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

TEST(EnsureDirectory, MakesAMissingOneWithItsParents) {
  const test::TempDir temp;
  const auto path = temp / "a/b/c";
  ASSERT_TRUE(EnsureDirectory(path, {::geteuid(), ::getegid(), 02750}));
  EXPECT_EQ(StatOf(path).st_mode & 07777, 02750U);
  EXPECT_EQ(StatOf(path.parent_path()).st_mode & 07777, 0755U);
}

TEST(EnsureDirectory, CorrectsTheModeOfItsOwn) {
  const test::TempDir temp;
  const auto path = temp / "a";
  ASSERT_EQ(::mkdir(path.c_str(), 0777), 0);
  ASSERT_TRUE(EnsureDirectory(path, {::geteuid(), ::getegid(), 0700}));
  EXPECT_EQ(StatOf(path).st_mode & 07777, 0700U);
}

TEST(EnsureDirectory, RefusesASymbolicLink) {
  const test::TempDir temp;
  ASSERT_EQ(::symlink("/tmp", (temp / "link").c_str()), 0);
  EXPECT_FALSE(EnsureDirectory(temp / "link", {::geteuid(), ::getegid(), 0700}));
}

TEST(EnsureDirectory, HandsOverWhatRootMadeAndNothingElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const test::TempDir temp;
  ASSERT_TRUE(EnsureDirectory(temp / "a", {kOther, kOther, 0700}));
  EXPECT_EQ(StatOf(temp / "a").st_uid, kOther);
  const auto refused = EnsureDirectory(temp / "a", {kOther + 1, kOther + 1, 0700});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
  EXPECT_EQ(refused.error().detail, "the directory " + (temp / "a").string() +
                                        " belongs to uid 64002 and not to uid 64003: move it "
                                        "away, and it is made anew");
  EXPECT_EQ(StatOf(temp / "a").st_uid, kOther);
}

}  // namespace
}  // namespace keybroker::tokenhost
