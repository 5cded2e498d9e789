#include "keybroker/base/file.h"
#include "keybroker/base/secret_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "support/small_disk.h"
#include "support/temp_dir.h"

namespace keybroker {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> NamesIn(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

mode_t ModeOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777U;
}

TEST(ReadFile, GivesTheWholeContent) {
  const test::TempDir dir;
  const std::string content = std::string("a\0b\n", 4) + std::string(40000, 'x');
  test::WriteAll(dir / "f", content);
  EXPECT_EQ(ReadFile(dir / "f").value(), content);
  EXPECT_EQ(ReadFile(dir / "f", content.size()).value(), content);
}

TEST(ReadFile, SaysWhyItCannot) {
  const test::TempDir dir;
  test::WriteAll(dir / "f", "four");
  EXPECT_EQ(ReadFile(dir / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFile(dir / "f/below").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadFile(dir / "f", 3).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(ReadFile(dir.path()).error().code, ErrorCode::kMalformed);
  EXPECT_NE(ReadFile(dir.path()).error().detail.find("is a directory"), std::string::npos);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(dir / "fifo").error().code, ErrorCode::kMalformed) << "and does not hang";
}

TEST(WriteFileAtomically, WritesContentAndMode) {
  const test::TempDir dir;
  const mode_t before = ::umask(077);
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "one", 0644).has_value());
  ::umask(before);
  EXPECT_EQ(test::ReadAll(dir / "f"), "one");
  EXPECT_EQ(ModeOf(dir / "f"), 0644U);
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "two", 0600).has_value());
  EXPECT_EQ(test::ReadAll(dir / "f"), "two");
  EXPECT_EQ(ModeOf(dir / "f"), 0600U);
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("f"));
}

TEST(WriteFileAtomically, RefusesToReplaceWhenAsked) {
  const test::TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "one", 0644, Overwrite::kRefuse).has_value());
  const Status second = WriteFileAtomically(dir / "f", "two", 0644, Overwrite::kRefuse);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_EQ(test::ReadAll(dir / "f"), "one");
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("f"));
}

TEST(WriteFileAtomically, GivesTheFileItsOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const test::TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "x", 0640, Overwrite::kReplace, {65534, 65534}));
  struct stat info {};
  ASSERT_EQ(::stat((dir / "f").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 65534U);
  EXPECT_EQ(info.st_gid, 65534U);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
}

TEST(WriteFileAtomically, LeavesTheOldFileWhenTheDiskIsFull) {
  const test::TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "old").has_value());
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Status status = WriteFileAtomically(dir / "f", std::string(5000, 'n'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(test::ReadAll(dir / "f"), "old");
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("f"));
}

TEST(WriteFileAtomically, LeavesTheOldFileOnARealFullFileSystem) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const test::TempDir dir;
  if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=16k") != 0) {
    GTEST_SKIP() << "may not mount here";
  }
  EXPECT_TRUE(WriteFileAtomically(dir / "f", "old").has_value());
  const Status status = WriteFileAtomically(dir / "f", std::string(100'000, 'n'));
  EXPECT_EQ(test::ReadAll(dir / "f"), "old");
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("f"));
  EXPECT_TRUE(WriteFileAtomically(dir / "f", "new").has_value()) << "there is room again";
  ::umount(dir.path().c_str());
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().detail, ::testing::HasSubstr("No space left on device"));
}

TEST(StagedFile, IsInItsPlaceOnlyWhenPublishedAndLeavesNothingElse) {
  const test::TempDir dir;
  test::WriteAll(dir / "pin", "old");
  { ASSERT_TRUE(StagedFile::Write(dir / "pin", "new", 0600)); }
  EXPECT_EQ(test::ReadAll(dir / "pin"), "old");
  auto staged = StagedFile::Write(dir / "pin", "new", 0600);
  ASSERT_TRUE(staged);
  EXPECT_EQ(test::ReadAll(dir / "pin"), "old");
  ASSERT_TRUE(staged->Publish());
  EXPECT_EQ(test::ReadAll(dir / "pin"), "new");
  const std::filesystem::directory_iterator files(dir.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

// WithoutProc runs check in a process that has no /proc; its result is the exit status.
void WithoutProc(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool hidden = ::unshare(CLONE_NEWNS) == 0 &&
                        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                        ::mount("none", "/proc", "tmpfs", 0, nullptr) == 0;
    ::_exit(hidden && check() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(StagedFile, HasAHiddenNameWhereOneIsNeeded) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const test::TempDir dir;
  WithoutProc([&] {
    {
      const auto staged = StagedFile::Write(dir / "f", "left", 0600);
      if (!staged || NamesIn(dir.path()).size() != 1) return false;
    }
    return NamesIn(dir.path()).empty() && WriteFileAtomically(dir / "f", "old") &&
           WriteFileAtomically(dir / "f", "new") &&
           !WriteFileAtomically(dir / "f", "other", 0644, Overwrite::kRefuse) &&
           WriteFileAtomically(dir / "g", "first", 0644, Overwrite::kRefuse);
  });
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("f", "g"));
  EXPECT_EQ(test::ReadAll(dir / "f"), "new");
  EXPECT_EQ(test::ReadAll(dir / "g"), "first");
}

TEST(StagedFile, HasNoNameWhereTheFileSystemKnowsThat) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const test::TempDir dir;
  const test::SmallDisk disk(dir / "disk");
  auto staged = StagedFile::Write(dir / "disk/f", "new", 0600);
  ASSERT_TRUE(staged);
  EXPECT_THAT(NamesIn(dir / "disk"), ElementsAre());  // what a kill here leaves
  ASSERT_TRUE(staged->Publish(Overwrite::kRefuse));
  EXPECT_THAT(NamesIn(dir / "disk"), ElementsAre("f"));
}

TEST(StagedFile, IsRetractedWhereItWasWrittenAndNowhereElse) {
  const test::TempDir dir;
  const auto mine = dir / "mine";
  const auto moved = dir / "moved";
  std::filesystem::create_directory(mine);
  auto file = StagedFile::Write(mine / "f", "new", 0600);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->Publish(Overwrite::kRefuse));
  // Whoever owns what leads to it puts another directory in its place.
  std::filesystem::rename(mine, moved);
  std::filesystem::create_directory(mine);
  test::WriteAll(mine / "f", "another's");
  ASSERT_TRUE(file->Retract());
  EXPECT_EQ(test::ReadAll(mine / "f"), "another's");
  EXPECT_FALSE(std::filesystem::exists(moved / "f"));
}

TEST(StagedFile, LeavesAnotherFileOfItsName) {
  const test::TempDir dir;
  auto file = StagedFile::Write(dir / "f", "new", 0600);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->Publish(Overwrite::kRefuse));
  std::filesystem::remove(dir / "f");
  test::WriteAll(dir / "f", "another's");
  const Status retracted = file->Retract();
  ASSERT_FALSE(retracted);
  EXPECT_EQ(retracted.error().code, ErrorCode::kConflict);
  EXPECT_EQ(test::ReadAll(dir / "f"), "another's");
}

TEST(WriteFileAtomically, FailsWhereThereIsNoDirectory) {
  const test::TempDir dir;
  EXPECT_FALSE(WriteFileAtomically(dir / "none/f", "x").has_value());
}

class SecretFile : public ::testing::Test {
 protected:
  Result<Secret> Read(std::string_view content, mode_t mode = 0600) {
    test::WriteAll(path_, content);
    ::chmod(path_.c_str(), mode);
    return ReadSecretFile(path_);
  }
  static std::string TextOf(const Result<Secret>& secret) {
    if (!secret) return secret.error().detail;
    return {reinterpret_cast<const char*>(secret->Expose().data()), secret->size()};
  }

  test::TempDir dir_;
  std::filesystem::path path_ = dir_ / "pin";
};

TEST_F(SecretFile, GivesItsFirstLine) {
  EXPECT_EQ(TextOf(Read("1234")), "1234");
  EXPECT_EQ(TextOf(Read("1234\n")), "1234");
  EXPECT_EQ(TextOf(Read("1234\r\nmore\n")), "1234");
  EXPECT_EQ(TextOf(Read(" 12 34 \n")), " 12 34 ");
  EXPECT_EQ(TextOf(Read("1234", 0400)), "1234");
}

TEST_F(SecretFile, IsRefusedWhenOthersMayReadOrWriteIt) {
  for (const mode_t mode : {0640U, 0620U, 0604U, 0602U, 0644U, 0610U, 0601U}) {
    const auto secret = Read("1234", mode);
    ASSERT_FALSE(secret.has_value()) << std::oct << mode;
    EXPECT_EQ(secret.error().code, ErrorCode::kDenied);
    EXPECT_EQ(secret.error().detail.find("1234"), std::string::npos);
  }
}

TEST_F(SecretFile, IsRefusedWhenItBelongsToAStranger) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  test::WriteAll(path_, "1234");
  ::chmod(path_.c_str(), 0600);
  ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
  const auto secret = ReadSecretFile(path_);
  ASSERT_FALSE(secret.has_value());
  EXPECT_EQ(secret.error().code, ErrorCode::kDenied);
}

TEST_F(SecretFile, IsRefusedWhenEmptyTooLongOrNoFile) {
  EXPECT_EQ(Read("").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(Read("\n1234\n").error().code, ErrorCode::kMalformed);
  EXPECT_EQ(Read(std::string(2000, '1')).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(ReadSecretFile(dir_ / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadSecretFile(dir_.path()).error().code, ErrorCode::kMalformed);
}

}  // namespace
}  // namespace keybroker
