#include "cli/answer.h"

#include <gtest/gtest.h>

namespace keybroker::cli {
namespace {

TEST(Columns, AreAsWideAsTheirWidestCell) {
  EXPECT_EQ(Columns({{"A", "LONG", "C"}, {"long", "b", "c"}}), "A     LONG  C\nlong  b     c\n");
}

TEST(Columns, LeaveNoSpaceAtALinesEnd) {
  EXPECT_EQ(Columns({{"a", ""}, {"b", "cc"}}), "a\nb  cc\n");
}

TEST(Columns, KeepForeignTextInItsCell) {
  EXPECT_EQ(Columns({{"a\nok", "b\x1b[2J"}}), "a\\x0aok  b\\x1b[2J\n");
}

TEST(ForTerminal, EscapesWhatCouldSteerOne) {
  EXPECT_EQ(ForTerminal("a\x1b[2Jb\x7f\r"), "a\\x1b[2Jb\\x7f\\x0d");
  EXPECT_EQ(ForTerminal("two\nlines\tand \xc3\xbc"), "two\nlines\tand \xc3\xbc");
  EXPECT_EQ(ForTerminal("gpj.\xe2\x80\xaetxt"), "gpj.\\u{202e}txt");
}

TEST(Print, EscapesInJsonToo) {
  Answer answer;
  answer.json["name"] = "\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81\n\xc3\xbc";
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(Print(answer, true), 0);
  const std::string text = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(text, "{\n  \"name\": \"\\u009b\\u202e\\udb40\\udc01\\n\xc3\xbc\"\n}\n");
  EXPECT_EQ(Json::parse(text), answer.json);
}

TEST(JsonFields, OfAnotherTypeOrMissingGiveTheFallback) {
  const Json json{{"text", "a"}, {"number", 7}, {"yes", true}, {"list", Json::array({1})}};
  EXPECT_EQ(GetText(json, "text"), "a");
  EXPECT_EQ(GetText(json, "number"), "");
  EXPECT_EQ(GetText(json, "none"), "");
  EXPECT_EQ(GetText(Json(3), "text"), "");
  EXPECT_EQ(GetNumber(json, "number"), 7);
  EXPECT_EQ(GetNumber(json, "text"), 0);
  EXPECT_TRUE(GetBool(json, "yes"));
  EXPECT_FALSE(GetBool(json, "list"));
}

TEST(Print, GivesTheExitCode) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Answer unwell = MakeAnswer("found", Json::object());
  unwell.good = false;
  EXPECT_EQ(Print(MakeAnswer("done", Json::object()), false), kExitDone);
  EXPECT_EQ(Print(unwell, false), kExitFailed);
  EXPECT_EQ(Print(Fail(NotFound("no such thing")), false), kExitFailed);
  EXPECT_EQ(PrintUsage("what?", false), kExitUsage);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "done\nfound\n");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "keybroker: no such thing\nkeybroker: what?\n");
}

TEST(Print, PutsErrorAndNotesIntoTheJson) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Answer noted = MakeAnswer("text", {{"a", 1}});
  noted.notes = {"mind this"};
  EXPECT_EQ(Print(noted, true), kExitDone);
  const Json answer = Json::parse(::testing::internal::GetCapturedStdout(), nullptr, false);
  EXPECT_EQ(answer, Json({{"a", 1}, {"notes", {"mind this"}}}));
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(Print(Fail(TokenFailed("C_Sign", 0xa0)), true), kExitFailed);
  const Json error = Json::parse(::testing::internal::GetCapturedStdout(), nullptr, false);
  EXPECT_EQ(
      error,
      Json({{"error",
             {{"code", "token-failed"}, {"rv", "CKR_PIN_INCORRECT"}, {"message", "C_Sign"}}}}));
  ::testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace keybroker::cli
