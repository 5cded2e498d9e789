#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "unit/audit/chain_fixture.h"

namespace keybroker::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Logging = ChainTest;

// SmallFiles lets this process write files up to size bytes, as a full disk would.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t size) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{size, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallFiles() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

std::string DetailOf(const std::string& line) {
  const size_t begin = line.find("\"detail\":\"") + 10;
  return line.substr(begin, line.find("\",\"prev\"") - begin);
}

std::string HexOf(std::string_view text) {
  const auto hasher = Hasher::Make();
  const std::string detail = TornDetail(0, (*hasher)->Of(text).value());
  return detail.substr(detail.size() - 64);
}

TEST_F(Logging, WritesTheLineThatTheFormatDocumentShows) {
  std::string line;
  Event event = Signature();
  event.pid = 4711;
  AppendPrefix(1, 1'795'467'271, 123'456'789, event, Hash{}, &line);
  const std::string zeros(64, '0');
  EXPECT_EQ(line,
            R"({"seq":1,"time":"2026-11-23T20:54:31.123456789Z","action":"sign","subject":"https",)"
            R"("uid":33,"pid":4711,"key":"mail.example.test","key_id":"0a0b",)"
            R"("mechanism":"CKM_ECDSA","decision":"granted","result":"ok","count":1,"detail":"",)"
            R"("prev":")" +
                zeros + "\"");
  const std::string hash = HexOf(line);
  AppendHash((*Hasher::Make())->Of(line).value(), &line);
  EXPECT_THAT(line, EndsWith(",\"hash\":\"" + hash + "\"}\n"));
}

TEST_F(Logging, IsDocumentedAsItIsWritten) {
  const std::string document = test::ReadAll(KB_SOURCE_DIR "/docs/audit-format.md");
  Event event = Signature();
  event.pid = 4711;
  std::string line;
  AppendPrefix(1, 1'795'467'271, 123'456'789, event, Hash{}, &line);
  const size_t before_hashes = line.find("\"prev\":\"");
  EXPECT_NE(document.find("\n" + line.substr(0, before_hashes) + "\"prev\":\"0000"),
            std::string::npos);
}

TEST_F(Logging, BeginsAChainWithClosedFiles) {
  Log log = MustOpen();
  ASSERT_TRUE(log.Append(Signature()).has_value());
  for (const auto& path : {file_, HeadPath(file_)}) {
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U) << path;
    EXPECT_EQ(info.st_uid, ::geteuid());
  }
  EXPECT_EQ(log.head().sequence, 1U);
  EXPECT_EQ(test::ReadAll(HeadPath(file_)), FormatHead(log.head()));
}

TEST_F(Logging, GoesOnWithAChainAfterAnOrderlyEnd) {
  Write(3);
  Write(2);
  EXPECT_THAT(Lines(), SizeIs(5));
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, EscapesHostileTextSoThatALineStaysOneLineOfJson) {
  using std::string_literals::operator""s;
  Log log = MustOpen();
  const std::string hostile = "a\"b\\c\n\r\t\x01\x7f\xff\xc3\xa9\xc2\x85\xed\xa0\x80"s + "\0z"s;
  ASSERT_TRUE(log.Append(Signature(hostile)).has_value());
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(Lines()[0],
              ::testing::HasSubstr(
                  "\"key\":\"a\\\"b\\\\c\\u000a\\u000d\\u0009\\u0001\\u007f\\ufffd\xc3\xa9\\u0085"
                  "\\ufffd\\ufffd\\ufffd\\u0000z\","));
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, CutsAFieldThatIsTooLongAndSaysSo) {
  Log log = MustOpen();
  ASSERT_TRUE(log.Append(Signature(std::string(5000, 'x'))).has_value());
  EXPECT_THAT(Lines()[0],
              ::testing::HasSubstr("\"key\":\"" + std::string(kMaxField, 'x') + "...\","));
  const std::string controls(5000, '\x01');
  Event event = Signature(controls);
  event.action = event.subject = event.key_id = event.mechanism = event.decision = event.result =
      event.detail = event.key;
  ASSERT_TRUE(log.Append(event).has_value());
  EXPECT_LE(Lines()[1].size(), kMaxLine);
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, HasOneWriterPerChain) {
  Log log = MustOpen();
  const auto second = Log::Open(file_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  ASSERT_TRUE(log.Append(Signature()).has_value());
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, IsFreeForTheNextWriterAfterKill9) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto log = Log::Open(file_);
    for (uint64_t i = 0; log; ++i) {
      if (!log->Append(Signature())) ::_exit(1);
      if (i == 100 && ::write(ready[1], "x", 1) != 1) ::_exit(1);
    }
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  Write(1);
  EXPECT_GT(Lines().size(), 100U);
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, AccountsForALineThatACrashTore) {
  Write(3);
  const std::string torn = Lines()[2].substr(0, 57);
  test::WriteAll(file_, test::ReadAll(file_) + torn);
  ASSERT_THAT(Findings(), SizeIs(1));

  Write(1);
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_EQ(lines[3], torn + "\n") << "what was torn is kept";
  EXPECT_EQ(Parsed(lines[4]).action, "recovered");
  EXPECT_EQ(DetailOf(lines[4]), "torn line: 57 bytes, SHA-256 " + HexOf(torn));
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, AccountsForATornRecoveryToo) {
  Write(2);
  test::WriteAll(file_, test::ReadAll(file_) + "{\"seq\":3,\n{\"seq\":3,\"ti");
  Write(1);
  EXPECT_EQ(DetailOf(Lines()[4]),
            "torn line: 22 bytes, SHA-256 " + HexOf("{\"seq\":3,\n{\"seq\":3,\"ti"));
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, AccountsForATornFirstRecord) {
  { const Log log = MustOpen(); }
  test::WriteAll(file_, "{\"seq\":1,");
  Write(1);
  EXPECT_THAT(Lines(), SizeIs(3));
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, DoesNotLetARecoveredRecordCoverOtherBytes) {
  Write(2);
  test::WriteAll(file_, test::ReadAll(file_) + "torn");
  Write(1);
  auto lines = Lines();
  ASSERT_EQ(lines[2], "torn\n");
  lines[2] = "tOrn\n";
  SetLines(lines);
  EXPECT_THAT(Findings(),
              ElementsAre("3 0 inserted: this line is no record, and no record is missing here"));
  lines[2] = "torn\ntorn\n";
  SetLines(lines);
  EXPECT_THAT(Findings(), SizeIs(2));
}

TEST_F(Logging, ShowsForEverThatItsTailWasCutOffBeforeAStart) {
  Write(5);
  auto lines = Lines();
  lines.resize(3);
  SetLines(lines);
  Write(2);
  EXPECT_THAT(Findings(), ElementsAre("4 4 removed: records 4 to 5 are missing before this line"));
  EXPECT_EQ(Parsed(Lines()[3]).action, "recovered");
  EXPECT_EQ(DetailOf(Lines()[3]), "the head file knew 5 records, the log 3");
}

TEST_F(Logging, ShowsForEverThatItsLastRecordWasChangedBeforeAStart) {
  Write(5);
  auto lines = Lines();
  lines[4].replace(lines[4].find("host5"), 5, "hostX");
  SetLines(lines);
  Write(1);
  EXPECT_THAT(Findings(), ElementsAre("5 5 changed: the record's content does not have the "
                                      "record's hash"));
}

TEST_F(Logging, ShowsForEverThatTheLogVanished) {
  Write(5);
  std::filesystem::remove(file_);
  Write(1);
  EXPECT_THAT(Findings(), ElementsAre("1 1 removed: records 1 to 5 are missing before this line"));
}

TEST_F(Logging, NotesAHeadFileThatWasBehindOrGone) {
  Write(3);
  const std::string old = test::ReadAll(HeadPath(file_));
  Write(1);
  test::WriteAll(HeadPath(file_), old);
  Write(1);
  EXPECT_EQ(DetailOf(Lines()[4]), "the head file knew 3 records, the log 4");
  std::filesystem::remove(HeadPath(file_));
  Write(1);
  EXPECT_EQ(DetailOf(Lines()[6]), "the head file was missing or unreadable");
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, RefusesAFileWithoutAnyRecordOrHead) {
  test::WriteAll(file_, std::string(10 * kMaxLine, 'x'));
  const auto log = Log::Open(file_);
  ASSERT_FALSE(log.has_value());
  EXPECT_EQ(log.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(log.error().detail, EndsWith("move both files away and keep them, then start again"));
}

TEST_F(Logging, IsNotLedAstrayByALinkOrAFolder) {
  std::filesystem::create_symlink("/tmp/elsewhere", file_);
  EXPECT_FALSE(Log::Open(file_).has_value());
  std::filesystem::remove(file_);
  std::filesystem::create_directory(file_);
  EXPECT_FALSE(Log::Open(file_).has_value());
}

TEST_F(Logging, KeepsTheChainWholeOnAFullDiskAndGoesOnWhenThereIsRoom) {
  Log log = MustOpen();
  ASSERT_TRUE(log.Append(Signature()).has_value());
  const std::string before = test::ReadAll(file_);
  {
    const SmallFiles full(before.size() + 100);
    for (int i = 0; i < 3; ++i) {
      const Status status = log.Append(Signature());
      ASSERT_FALSE(status.has_value());
      EXPECT_THAT(status.error().detail, StartsWith("cannot append to the audit log "));
      EXPECT_EQ(test::ReadAll(file_), before);
    }
  }
  EXPECT_THAT(Findings(), IsEmpty());
  ASSERT_TRUE(log.Append(Signature()).has_value());
  EXPECT_EQ(log.head().sequence, 2U);
  EXPECT_THAT(Findings(), IsEmpty());
}

TEST_F(Logging, SyncsLogAndHead) {
  Log log = MustOpen();
  ASSERT_TRUE(log.Append(Signature()).has_value());
  EXPECT_TRUE(log.Sync().has_value());
}

TEST_F(Logging, VerifiesWhileAWriterIsAtWork) {
  constexpr int kRecords = 3000;
  Log log = MustOpen();
  ASSERT_TRUE(log.Append(Signature()).has_value());
  std::atomic<bool> writing = true;
  std::thread writer([&] {
    for (int i = 0; i < kRecords; ++i) EXPECT_TRUE(log.Append(Signature()).has_value());
    writing = false;
  });
  int verified = 0;
  for (; writing || verified < 5; ++verified) EXPECT_THAT(Findings(), IsEmpty());
  writer.join();
  EXPECT_THAT(Findings(), IsEmpty());
}

}  // namespace
}  // namespace keybroker::audit
