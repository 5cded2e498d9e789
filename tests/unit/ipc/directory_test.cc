#include "keybroker/ipc/directory.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/temp_dir.h"

namespace keybroker::ipc {
namespace {

using testing::HasSubstr;

constexpr uid_t kOther = 64002;

struct stat StatOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

std::string Why(const Result<std::filesystem::path>& made) {
  return made ? "made" : made.error().detail;
}

TEST(MakeSafeDirectory, MakesWhatIsMissing) {
  const test::TempDir temp;
  const auto made = MakeSafeDirectory(temp / "new/deep");
  ASSERT_TRUE(made) << Why(made);
  EXPECT_EQ(StatOf(temp / "new/deep").st_mode & 07777, 0755U);
  EXPECT_TRUE(MakeSafeDirectory(temp / "new/deep"));
}

TEST(MakeSafeDirectory, RefusesOneThatOthersCanWrite) {
  const test::TempDir temp;
  std::filesystem::create_directories(temp / "open/below");
  for (const mode_t mode : {0777U, 0775U, 01777U}) {
    ASSERT_EQ(::chmod((temp / "open/below").c_str(), mode), 0);
    EXPECT_THAT(Why(MakeSafeDirectory(temp / "open/below")),
                HasSubstr("open/below is writable by others than its owner"));
  }
  ASSERT_EQ(::chmod((temp / "open/below").c_str(), 0755), 0);
  ASSERT_EQ(::chmod((temp / "open").c_str(), 0777), 0);
  EXPECT_THAT(Why(MakeSafeDirectory(temp / "open/below")),
              HasSubstr("open is writable by others than its owner"));
}

TEST(MakeSafeDirectory, RefusesOneOfAStranger) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: giving a directory away needs root";
  const test::TempDir temp;
  std::filesystem::create_directories(temp / "theirs");
  ASSERT_EQ(::chown((temp / "theirs").c_str(), kOther, kOther), 0);
  EXPECT_THAT(Why(MakeSafeDirectory(temp / "theirs")), HasSubstr("belongs to uid 64002"));
  EXPECT_THAT(Why(MakeSafeDirectory(temp / "theirs/below")), HasSubstr("belongs to uid 64002"));
}

TEST(MakeSafeDirectory, FollowsNoSymbolicLinkInAJail) {
  const test::TempDir temp;
  std::filesystem::create_directories(temp / "jail");
  std::filesystem::create_directories(temp / "outside");
  std::filesystem::create_directory_symlink(temp / "outside", temp / "jail/run");
  EXPECT_TRUE(MakeSafeDirectory(temp / "jail/run")) << "outside of jails links are followed";
  EXPECT_EQ(*MakeSafeDirectory(temp / "jail/run/deep"), temp / "outside/deep")
      << "and the answer is where they led";
  EXPECT_THAT(Why(MakeSafeDirectory(temp / "jail/run", temp / "jail")), HasSubstr("symbolic link"));
  EXPECT_THAT(Why(MakeSafeDirectory(temp / "jail/run", temp / "missing")),
              HasSubstr("is not a directory"));
}

// SafeFile is a file that is safe; each test spoils one thing.
class SafeFile : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(file_.parent_path());
    test::WriteAll(file_, "x");
    for (const auto& part : {file_, temp_ / "above", temp_ / "above/directory"}) {
      ASSERT_EQ(::chmod(part.c_str(), 0755), 0);
    }
    ASSERT_TRUE(CheckSafeFile(file_)) << Why();
  }

  std::string Why() const {
    const Status safe = CheckSafeFile(file_);
    return safe ? "safe" : safe.error().detail;
  }

  const test::TempDir temp_;
  const std::filesystem::path file_ = temp_ / "above/directory/file";
};

TEST_F(SafeFile, IsNoneThatOthersCanWrite) {
  ASSERT_EQ(::chmod(file_.c_str(), 0664), 0);
  EXPECT_THAT(Why(), HasSubstr("directory/file is writable by others"));
}

TEST_F(SafeFile, LiesInNoDirectoryThatOthersCanWrite) {
  ASSERT_EQ(::chmod((temp_ / "above").c_str(), 0775), 0);
  EXPECT_THAT(Why(), HasSubstr("above is writable by others than its owner"));
  ASSERT_EQ(::chmod((temp_ / "above").c_str(), 0755), 0);
  ASSERT_EQ(::chmod((temp_ / "above/directory").c_str(), 01777), 0);
  EXPECT_THAT(Why(), HasSubstr("above/directory is writable by others than its owner"));
}

TEST_F(SafeFile, HasNoSymbolicLinkInItsPath) {
  const auto real = temp_ / "real";
  std::filesystem::rename(temp_ / "above", real);
  std::filesystem::create_directory_symlink(real, temp_ / "above");
  EXPECT_THAT(Why(), HasSubstr("above is a symbolic link or no directory"));
  EXPECT_TRUE(CheckSafeFile(real / "directory/file"));
  std::filesystem::create_symlink(real / "directory/file", real / "directory/link");
  EXPECT_FALSE(CheckSafeFile(real / "directory/link"));
  EXPECT_FALSE(CheckSafeFile(temp_ / "above/../real/directory/file")) << "a link all the same";
}

TEST_F(SafeFile, IsThere) {
  std::filesystem::remove(file_);
  EXPECT_THAT(Why(), HasSubstr("No such file"));
}

TEST_F(SafeFile, IsNoStrangersAndNorIsADirectoryAbove) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: giving a file away needs root";
  ASSERT_EQ(::chown(file_.c_str(), kOther, kOther), 0);
  EXPECT_THAT(Why(), HasSubstr("directory/file belongs to uid 64002"));
  ASSERT_EQ(::chown(file_.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown((temp_ / "above").c_str(), kOther, kOther), 0);
  EXPECT_THAT(Why(), HasSubstr("above belongs to uid 64002"));
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
}  // namespace keybroker::ipc
