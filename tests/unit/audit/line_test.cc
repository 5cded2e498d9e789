#include "audit/line.h"

#include <gtest/gtest.h>

#include "audit/head_file.h"

namespace keybroker::audit {
namespace {

std::string Sample() {
  Event event;
  event.action = "sign";
  event.subject = "ht\"tp\ns";
  event.uid = 4294967294U;
  event.detail = "\xc3\xa9 \xff";
  std::string line;
  AppendPrefix(42, 0, 7, event, Hash{1, 2, 3}, &line);
  AppendHash(Hash{4, 5, 6}, &line);
  line.pop_back();
  return line;
}

TEST(AuditLine, IsReadAsItWasWritten) {
  const std::string text = Sample();
  const auto line = ParseLine(text);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->sequence, 42U);
  EXPECT_EQ(line->time, "1970-01-01T00:00:00.000000007Z");
  EXPECT_EQ(line->action, "sign");
  EXPECT_EQ(line->detail, "\xc3\xa9 \\ufffd");
  EXPECT_EQ(line->previous, (Hash{1, 2, 3}));
  EXPECT_EQ(line->hash, (Hash{4, 5, 6}));
  EXPECT_EQ(text.substr(line->prefix.size(), 9), ",\"hash\":\"");
}

TEST(AuditLine, IsRefusedWhenAnythingIsMissingOrLeftOver) {
  const std::string text = Sample();
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseLine(text.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(ParseLine(text + " ").has_value());
  EXPECT_FALSE(ParseLine(" " + text).has_value());
}

TEST(AuditLine, HasOneSpelling) {
  const auto with = [](std::string_view from, std::string_view to) {
    std::string text = Sample();
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& text : {
           with("\"seq\":42", "\"seq\":042"),
           with("\"seq\":42", "\"seq\":0"),
           with("\"seq\":42", "\"seq\":-1"),
           with("\"seq\":42", "\"seq\":4611686018427387905"),
           with("\"seq\":42", "\"seq\":99999999999999999999"),
           with("\"seq\":42", "\"seq\": 42"),
           with("1970-01-01T", "1970-01-01 "),
           with("\\\"", "\\/"),
           with("\\u000a", "\\u000A"),
           with("\\u000a", "\n"),
           with("\\u000a", "\x7f"),
           with("\\ufffd", "\xff"),
           with("\"prev\":\"010203", "\"prev\":\"01020G"),
           with("\"hash\":\"040506", "\"hash\":\"0405AB"),
           with("\"uid\"", "\"gid\""),
       }) {
    EXPECT_FALSE(ParseLine(text).has_value()) << text;
  }
}

TEST(AuditHead, IsReadAsItWasWrittenAndNothingElseIs) {
  const Head head{7, Hash{9, 8, 7}};
  const std::string text = FormatHead(head);
  ASSERT_EQ(text.size(), kHeadSize);
  const auto read = ParseHead(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->sequence, 7U);
  EXPECT_EQ(read->hash, head.hash);
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseHead(text.substr(0, size)).has_value());
  }
  EXPECT_FALSE(ParseHead(text + "\n").has_value());
  EXPECT_FALSE(ParseHead("99999999999999999999" + text.substr(20)).has_value());
  std::string upper = text;
  upper[22] = 'F';
  EXPECT_FALSE(ParseHead(upper).has_value());
}

}  // namespace
}  // namespace keybroker::audit
