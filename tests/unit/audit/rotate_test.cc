#include <signal.h>
#include <sys/resource.h>

#include "unit/audit/chain_fixture.h"

namespace keybroker::audit {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Rotation : public ChainTest {
 protected:
  Report MustVerify(const fs::path& file) const {
    const auto report = Verify(file);
    EXPECT_TRUE(report) << report.error().detail;
    return report ? *report : Report{};
  }
};

TEST_F(Rotation, BeginsAChainThatNamesTheOneBefore) {
  Log log = MustOpen();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(log.Append(Signature()));
  const Head head = log.head();
  const Status rotated = log.Rotate();
  ASSERT_TRUE(rotated) << rotated.error().detail;
  ASSERT_TRUE(log.Append(Signature()));
  const auto older = OlderFiles(file_);
  ASSERT_THAT(older, SizeIs(1));
  const Report before = MustVerify(older.front());
  EXPECT_EQ(before.records, 3U);
  EXPECT_THAT(before.findings, IsEmpty());
  EXPECT_EQ(before.continues, "");
  const Report now = MustVerify(file_);
  EXPECT_EQ(now.records, 2U);
  EXPECT_THAT(now.findings, IsEmpty());
  EXPECT_EQ(now.continues, LinkText(older.front(), head));
}

TEST_F(Rotation, KeepsTheLock) {
  Log log = MustOpen();
  ASSERT_TRUE(log.Append(Signature()));
  ASSERT_TRUE(log.Rotate());
  const auto second = Log::Open(file_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

TEST_F(Rotation, RefusesANameThatIsTakenAndGoesOn) {
  Log log = MustOpen();
  ASSERT_TRUE(log.Append(Signature()));
  ASSERT_TRUE(log.Rotate());
  // Within one second the name is the same; where the clock ticked meanwhile it is another file.
  const Status again = log.Rotate();
  if (!again.has_value()) {
    EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  }
  ASSERT_TRUE(log.Append(Signature()));
  EXPECT_THAT(MustVerify(file_).findings, IsEmpty());
}

TEST_F(Rotation, ThatCannotBeginANewChainLeavesTheOldOne) {
  Log log = MustOpen();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(log.Append(Signature()));
  const std::string before = test::ReadAll(file_);
  rlimit limit{};
  // No file can be written, as on a full disk.
  ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit none{0, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  const Status rotated = log.Rotate();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_FALSE(rotated);
  EXPECT_EQ(test::ReadAll(file_), before);
  EXPECT_THAT(OlderFiles(file_), IsEmpty());
  ASSERT_TRUE(log.Append(Signature()));
  EXPECT_THAT(MustVerify(file_).findings, IsEmpty());
  EXPECT_EQ(MustVerify(file_).records, 4U);
}

TEST_F(Rotation, CutShortBetweenTheTwoNamesIsRecoveredFrom) {
  Write(3);
  fs::rename(HeadPath(file_), HeadPath(file_.native() + ".20261126T120000Z"));
  {
    Log log = MustOpen();
    ASSERT_TRUE(log.Append(Signature()));
  }
  const Report report = MustVerify(file_);
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.records, 5U);  // and one that says that the head was missing
}

TEST_F(Rotation, ListsOnlyWhatItMade) {
  Write(1);
  const std::string name = file_.native();
  for (const char* each : {".20261126T120000Z", ".20251126T120000Z"}) {
    test::WriteAll(name + each, "");
    test::WriteAll(name + each + ".head", "");
  }
  for (const char* each : {".1", ".20261126T120000", ".20261126-120000Z", ".bak"}) {
    test::WriteAll(name + each, "");
  }
  EXPECT_THAT(OlderFiles(file_),
              ElementsAre(name + ".20251126T120000Z", name + ".20261126T120000Z"));
}

}  // namespace
}  // namespace keybroker::audit
