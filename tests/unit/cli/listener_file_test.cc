#include "cli/listener_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/layout.h"
#include "support/temp_dir.h"

namespace keybroker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ListenerFile : public ::testing::Test {
 protected:
  ListenerFile() {
    settings.file = dir / "keybroker.toml";
    settings.listeners_dir = dir / "listeners.d";
    smtp.name = "smtp";
    smtp.users = {"root"};
  }

  keybroker::test::TempDir dir;
  config::Settings settings;
  policy::Listener smtp;
};

TEST_F(ListenerFile, IsReadAsItWasWritten) {
  policy::Binding binding{"a.test", cryptoki::KeyType::kEc, {"CKM_ECDSA"}, {CKM_ECDSA}};
  smtp.bindings.push_back(binding);
  ASSERT_TRUE(StoreListener(settings, smtp, true));
  const auto again = LoadListener(settings, "smtp");
  ASSERT_TRUE(again.has_value()) << again.error().detail;
  EXPECT_EQ(policy::FormatListener(*again), policy::FormatListener(smtp));
}

TEST_F(ListenerFile, ThatWouldNotParseIsNotWritten) {
  smtp.users.clear();
  EXPECT_FALSE(StoreListener(settings, smtp, true));
  EXPECT_FALSE(std::filesystem::exists(settings.ListenerFile("smtp")));
}

TEST_F(ListenerFile, ThatExistsIsNotMadeAgain) {
  ASSERT_TRUE(StoreListener(settings, smtp, true));
  const auto again = StoreListener(settings, smtp, true);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(StoreListener(settings, smtp, false));
}

TEST_F(ListenerFile, NamesAreSortedAndLeaveOutUnfinishedFiles) {
  const auto none = ListenerNames(settings);
  ASSERT_TRUE(none.has_value());
  EXPECT_THAT(*none, IsEmpty());
  std::filesystem::create_directory(settings.listeners_dir);
  for (const char* name : {"smtp.toml", "imap.toml", ".imap.toml.x1Y2z3", "README"}) {
    keybroker::test::WriteAll(settings.listeners_dir / name, "");
  }
  EXPECT_THAT(*ListenerNames(settings), ElementsAre("imap", "smtp"));
}

TEST_F(ListenerFile, ThatIsMissingNamesThoseThatThereAre) {
  ASSERT_TRUE(StoreListener(settings, smtp, true));
  const auto missing = LoadListener(settings, "imap");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().detail, HasSubstr("(there is smtp)"));
}

TEST(FileMode, IsOctal) {
  EXPECT_EQ(*ParseMode("0640"), 0640U);
  for (const char* text : {"", "0888", "1777", "rw", "0640 "}) {
    EXPECT_FALSE(ParseMode(text).has_value()) << text;
  }
}

TEST(Layout, PutsWildcardsIntoPlainFileNames) {
  config::Settings settings;
  settings.file = "/etc/keybroker/keybroker.toml";
  EXPECT_EQ(ChainFile(settings, "*.a.test", cryptoki::KeyType::kEc, "ab"),
            "/etc/keybroker/chains/_.a.test.ec.ab.pem");
  EXPECT_EQ(ReferenceFile(settings, "a.test", cryptoki::KeyType::kRsa, "smtp"),
            "/etc/keybroker/references/smtp/a.test.rsa.pem");
}

TEST(Layout, RefusesALinkInADirectorysPlace) {
  keybroker::test::TempDir dir;
  std::filesystem::create_directory_symlink("/tmp", dir / "link");
  const auto made = MakeDirectory(dir / "link", "", 0700);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kConflict);
}

TEST(Layout, GivesADirectoryAwayOnlyWhereRootAloneWrites) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: nobody else can give anything away";
  keybroker::test::TempDir dir;
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  ASSERT_TRUE(MakeDirectory(dir / "ours", "nobody", 0700).has_value());
  struct stat info {};
  ASSERT_EQ(::lstat((dir / "ours").c_str(), &info), 0);
  EXPECT_NE(info.st_uid, 0U);
  EXPECT_EQ(info.st_mode & 07777, 0700U);

  const auto inside = MakeDirectory(dir / "ours/deeper", "nobody", 0700);
  ASSERT_FALSE(inside.has_value());
  EXPECT_EQ(inside.error().code, ErrorCode::kDenied);
  EXPECT_FALSE(std::filesystem::exists(dir / "ours/deeper"));
}

TEST(Layout, TouchesNothingInsideTheTokenUsersDirectory) {
  keybroker::test::TempDir dir;
  config::Settings settings;
  settings.state_dir = dir / "state";
  settings.token_user = ::geteuid() == 0 ? "nobody" : "";
  ASSERT_TRUE(MakeStateDirectories(settings).has_value());
  EXPECT_TRUE(std::filesystem::is_empty(settings.TokenStateDir()));
  // What that user puts there meanwhile is not followed either.
  std::filesystem::create_directory_symlink(dir / "elsewhere",
                                            settings.TokenStateDir() / "pin-guard");
  EXPECT_TRUE(MakeStateDirectories(settings).has_value());
  EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere"));
}

}  // namespace
}  // namespace keybroker::cli
