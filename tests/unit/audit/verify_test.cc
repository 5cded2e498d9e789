#include "unit/audit/chain_fixture.h"

namespace keybroker::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Verifying : public ChainTest {
 protected:
  void SetUp() override {
    Write(9);
    lines_ = Lines();
    ASSERT_EQ(lines_.size(), 9U);
  }

  std::vector<std::string> lines_;  // lines_[0] is record 1
};

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST_F(Verifying, AcceptsAnUntouchedChain) {
  const auto report = Verify(file_);
  ASSERT_TRUE(report.has_value());
  EXPECT_THAT(Findings(), IsEmpty());
  EXPECT_EQ(report->records, 9U);
  EXPECT_EQ(report->head.sequence, 9U);
  EXPECT_EQ(report->head.hash, Parsed(lines_[8]).hash);
  EXPECT_EQ(report->first_time, Parsed(lines_[0]).time);
  EXPECT_EQ(report->last_time, Parsed(lines_[8]).time);
}

TEST_F(Verifying, ReadsARegularFileOnly) {
  std::filesystem::remove(file_);
  std::filesystem::create_symlink("/dev/zero", file_);
  auto report = Verify(file_);  // it would never end
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().detail, ::testing::HasSubstr("is a symbolic link"));
  report = Verify("/dev/zero");
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().detail, ::testing::HasSubstr("is not a regular file"));
}

TEST_F(Verifying, FindsAChangedRecord) {
  lines_[4] = Replaced(lines_[4], "\"uid\":33", "\"uid\":0");
  SetLines(lines_);
  EXPECT_THAT(Findings(),
              ElementsAre("5 5 changed: the record's content does not have the record's hash"));
}

TEST_F(Verifying, FindsTheFirstAndTheLastRecordChanged) {
  lines_[0] = Replaced(lines_[0], "host1", "hostX");
  lines_[8] = Replaced(lines_[8], "host9", "hostX");
  SetLines(lines_);
  EXPECT_THAT(Findings(),
              ElementsAre("1 1 changed: the record's content does not have the record's hash",
                          "9 9 changed: the record's content does not have the record's hash"));
}

TEST_F(Verifying, FindsARecordThatIsNoLongerReadable) {
  lines_[4] = "scribble\n";
  SetLines(lines_);
  EXPECT_THAT(Findings(),
              ElementsAre("5 5 changed: record 5 should stand here, this line does not hold "
                          "together"));
}

TEST_F(Verifying, FindsAChangedRecordThatWasGivenANewHash) {
  lines_[4] = Forge(5, Parsed(lines_[4]).previous, "forged.example.test");
  SetLines(lines_);
  EXPECT_THAT(Findings(),
              ElementsAre("6 5 changed: record 6 was written after another record 5 than the one "
                          "here, which was replaced and given a new hash"));
}

TEST_F(Verifying, FindsALastRecordThatWasGivenANewHash) {
  lines_[8] = Forge(9, Parsed(lines_[8]).previous, "forged.example.test");
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("9 9 changed: the head file knows another record 9 than this "
                                      "one, which was replaced and given a new hash"));
}

TEST_F(Verifying, FindsARemovedRecord) {
  lines_.erase(lines_.begin() + 4);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("5 5 removed: record 5 is missing before this line"));
}

TEST_F(Verifying, FindsTheFirstRecordsRemoved) {
  lines_.erase(lines_.begin(), lines_.begin() + 3);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("1 1 removed: records 1 to 3 are missing before this line"));
}

TEST_F(Verifying, FindsAnInsertedCopy) {
  lines_.insert(lines_.begin() + 6, lines_[2]);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("7 3 inserted: record 3 here is no part of the chain"));
}

TEST_F(Verifying, FindsAnInsertedForgedRecordThatFollowsTheOneBefore) {
  lines_.insert(lines_.begin() + 4, Forge(5, Parsed(lines_[3]).hash, "forged.example.test"));
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("5 5 inserted: record 5 here is no part of the chain"));
}

TEST_F(Verifying, FindsAnInsertedRecordWithANumberOfItsOwn) {
  lines_.insert(lines_.begin() + 4, Forge(99, Parsed(lines_[3]).hash, "forged.example.test"));
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("5 99 inserted: record 99 here is no part of the chain"));
}

TEST_F(Verifying, FindsAnInsertedLineThatIsNoRecord) {
  lines_.insert(lines_.begin() + 4, "scribble\n");
  SetLines(lines_);
  EXPECT_THAT(Findings(),
              ElementsAre("5 0 inserted: this line is no record, and no record is missing here"));
}

TEST_F(Verifying, FindsAForgedRecordAppendedAtTheEnd) {
  lines_.push_back(Forge(10, Parsed(lines_[8]).hash, "forged.example.test"));
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("10 10 inserted: the head file does not know record 10; if a "
                                      "crash did it, the writer's next start says so"));
}

TEST_F(Verifying, FindsAMovedRecord) {
  const std::string third = lines_[2];
  lines_.erase(lines_.begin() + 2);
  lines_.insert(lines_.begin() + 6, third);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("7 3 moved: record 3 stands here, out of order"));
}

TEST_F(Verifying, FindsARecordMovedForward) {
  const std::string seventh = lines_[6];
  lines_.erase(lines_.begin() + 6);
  lines_.insert(lines_.begin() + 1, seventh);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("2 7 moved: record 7 stands here, out of order"));
}

TEST_F(Verifying, FindsTwoRecordsSwapped) {
  std::swap(lines_[3], lines_[4]);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("4 5 moved: record 5 stands here, out of order"));
}

TEST_F(Verifying, FindsTheLastRecordMovedToTheFront) {
  const std::string last = lines_[8];
  lines_.pop_back();
  lines_.insert(lines_.begin(), last);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("1 9 moved: record 9 stands here, out of order"));
}

TEST_F(Verifying, FindsATailThatWasCutOff) {
  lines_.resize(6);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("6 7 cut off: records 7 to 9 are missing at the end, the "
                                      "head file knows them"));
}

TEST_F(Verifying, FindsEverythingCutOff) {
  SetLines({});
  EXPECT_THAT(Findings(), ElementsAre("0 1 cut off: records 1 to 9 are missing at the end, the "
                                      "head file knows them"));
}

TEST_F(Verifying, FindsACutInsideARecord) {
  lines_[8].resize(40);
  SetLines(lines_);
  EXPECT_THAT(Findings(), ElementsAre("9 9 cut off: the file ends inside this record"));
}

TEST_F(Verifying, FindsATornLineThatNothingAccountsFor) {
  lines_.push_back(lines_[8].substr(0, 40));
  SetLines(lines_);
  EXPECT_THAT(Findings(),
              ElementsAre("10 0 cut off: the last line, 40 bytes, has no end; if a crash did it, "
                          "the writer's next start accounts for it"));
}

TEST_F(Verifying, FindsThatTheHeadFileIsMissing) {
  std::filesystem::remove(HeadPath(file_));
  EXPECT_THAT(Findings(), ElementsAre(::testing::StartsWith(
                              "9 9 cut off: the head file is missing or unreadable, so records may "
                              "be missing at the end; ")));
  EXPECT_TRUE(Verify(file_)->end_unknown);
}

TEST_F(Verifying, TakesAKnownHeadOfTheNewestRecordForAMissingHeadFile) {
  const Head newest = Verify(file_)->head;
  const Head older{4, Parsed(lines_[3]).hash};
  std::filesystem::remove(HeadPath(file_));
  EXPECT_THAT(Findings(&newest), IsEmpty());
  EXPECT_THAT(Findings(&older), ElementsAre(::testing::StartsWith("9 9 cut off: the head file ")));
  lines_.resize(6);
  SetLines(lines_);
  EXPECT_THAT(Findings(&newest), ::testing::Not(IsEmpty()));
  EXPECT_FALSE(Verify(file_, &newest)->end_unknown) << "record 9 is known to be missing";
}

TEST_F(Verifying, FindsTailAndHeadCutOffTogetherByAKnownHead) {
  const Head known = Verify(file_)->head;
  lines_.resize(6);
  SetLines(lines_);
  test::WriteAll(HeadPath(file_), FormatHead({6, Parsed(lines_[5]).hash}));
  EXPECT_THAT(Findings(), IsEmpty()) << "log and head agree: only a head from elsewhere can tell";
  EXPECT_THAT(Findings(&known),
              ElementsAre("6 9 cut off: record 9 was there earlier, the log ends before it"));
}

TEST_F(Verifying, FindsAWholeChainWrittenAnewByAKnownHead) {
  const Head known{4, Parsed(lines_[3]).hash};
  std::filesystem::remove(file_);
  std::filesystem::remove(HeadPath(file_));
  Write(9);
  EXPECT_THAT(Findings(), IsEmpty());
  EXPECT_THAT(Findings(&known),
              ElementsAre("9 4 changed: record 4 has not the hash that it had earlier"));
}

TEST_F(Verifying, AcceptsAKnownHeadThatTheChainHasGoneOnFrom) {
  const Head known{4, Parsed(lines_[3]).hash};
  EXPECT_THAT(Findings(&known), IsEmpty());
}

TEST_F(Verifying, TellsSeveralBreaksApart) {
  lines_[1] = Replaced(lines_[1], "host2", "hostX");
  lines_.erase(lines_.begin() + 4);
  lines_.push_back("scribble\n");
  SetLines(lines_);
  EXPECT_THAT(Findings(),
              ElementsAre("2 2 changed: the record's content does not have the record's hash",
                          "5 5 removed: record 5 is missing before this line",
                          "9 0 inserted: this line is no record, and no record is missing here"));
}

TEST_F(Verifying, FindsEachSingleBitFlipped) {
  const std::string text = test::ReadAll(file_);
  // A flip in each byte of the middle record; every eighth byte's lowest bit, to be quick.
  const size_t begin = text.find("\"seq\":5,") - 1;
  const size_t end = text.find("\"seq\":6,") - 1;
  for (size_t at = begin; at < end; at += 8) {
    std::string flipped = text;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    test::WriteAll(file_, flipped);
    EXPECT_FALSE(Findings().empty()) << "byte " << at;
  }
}

TEST_F(Verifying, FindsEachTruncation) {
  const std::string text = test::ReadAll(file_);
  for (size_t size = 0; size < text.size(); size += 97) {
    test::WriteAll(file_, std::string_view(text).substr(0, size));
    EXPECT_FALSE(Findings().empty()) << "cut to " << size;
  }
}

TEST_F(Verifying, StaysBoundedOnAFileThatIsNoLog) {
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += "line " + std::to_string(i) + "\n";
  test::WriteAll(file_, noise);
  EXPECT_THAT(Findings(),
              ElementsAre("0 0 changed: the log is broken in more than a thousand places"));
  test::WriteAll(file_, std::string(3 * kMaxLine, 'x'));
  EXPECT_FALSE(Findings().empty());
}

TEST_F(Verifying, FailsWhereThereIsNoLog) {
  const auto report = Verify(dir_ / "nothing.log");
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace keybroker::audit
