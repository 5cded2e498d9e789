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

TEST(ForTerminal, EscapesWhatCouldSteerOne) {
  EXPECT_EQ(ForTerminal("a\x1b[2Jb\x7f\r"), "a\\x1b[2Jb\\x7f\\x0d");
  EXPECT_EQ(ForTerminal("two\nlines\tand \xc3\xbc"), "two\nlines\tand \xc3\xbc");
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
