#include "cli/external_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keybroker::cli {
namespace {

using ::testing::HasSubstr;

ExternalBackup Sample() {
  ExternalBackup external;
  external.recorded = 1700000000;
  external.by = "root";
  external.note = "clone on HSM 2, safe B";
  external.from = "main";
  external.origin = {"01ab", "Vendor HSM", "stack"};
  external.at = "spare";
  external.spki = {1, 2, 3};
  external.certificate = {4, 5};
  external.drilled = 1700000001;
  external.drilled_on = "spare";
  external.standby = {"02cd", "Vendor HSM", "stack"};
  return external;
}

TEST(ExternalBackup, ComesBackFromItsRecord) {
  const Json json = ExternalJson(Sample());
  const auto read = ParseExternal(json);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(ExternalJson(*read), json);
  EXPECT_TRUE(read->Proved());
  EXPECT_EQ(read->SpkiSha256(), "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81");
}

TEST(ExternalBackup, IsProvedOnlyUntilADrillFails) {
  ExternalBackup external = Sample();
  external.failed = 1700000002;
  EXPECT_FALSE(external.Proved());
  external = Sample();
  external.drilled = 0;
  EXPECT_FALSE(external.Proved());
}

TEST(ExternalBackup, IsProvedOnlyOnATokenThatIsOnRecord) {
  Json json = ExternalJson(Sample());
  json.erase("standby");
  EXPECT_FALSE(ParseExternal(json)->Proved());
}

TEST(ExternalBackup, IsNoneWithoutKeyNoteOrToken) {
  for (const char* field : {"spki", "note", "origin"}) {
    Json json = ExternalJson(Sample());
    json.erase(field);
    EXPECT_FALSE(ParseExternal(json).has_value()) << field;
  }
  Json json = ExternalJson(Sample());
  json["spki"] = "0g";
  EXPECT_FALSE(ParseExternal(json).has_value());
  json = ExternalJson(Sample());
  json["note"] = "a\x1b[2J";
  EXPECT_FALSE(ParseExternal(json).has_value());
  EXPECT_FALSE(ParseExternal(Json::array()).has_value());
  EXPECT_FALSE(ParseExternal(Json()).has_value());
}

TEST(ExternalBackup, TakesNoTimeBeforeOrBeyondTime) {
  Json json = ExternalJson(Sample());
  json["drilled"] = -5;
  EXPECT_FALSE(ParseExternal(json)->Proved());
  json["drilled"] = "1700000001";
  EXPECT_FALSE(ParseExternal(json)->Proved());
}

TEST(Note, IsOneLineThatAPersonSees) {
  EXPECT_TRUE(CheckNote("Klon auf HSM 2, Tresor B – Schlüssel bei Müller"));
  EXPECT_TRUE(CheckNote(std::string(kMaxNote, 'x')));
  EXPECT_THAT(CheckNote(std::string(kMaxNote + 1, 'x')).error().detail, HasSubstr("has 401"));
  for (const char* bad : {"", "   ", "two\nlines", "tab\t", "\x1b[2J", "\xff",
                          "a\xe2\x80\xae"
                          "b"}) {
    EXPECT_FALSE(CheckNote(bad)) << bad;
  }
}

}  // namespace
}  // namespace keybroker::cli
