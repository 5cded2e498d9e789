#include "keybroker/config/toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keybroker::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TomlFile MustParse(std::string_view text) {
  auto file = TomlFile::Parse(text, "x.toml");
  EXPECT_TRUE(file.has_value()) << file.error().detail;
  return *file;
}

std::string Complaints(const TomlFile& file) {
  const Status status = file.Check();
  if (status) return "";
  EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
  return status.error().detail;
}

TEST(Toml, ReadsEveryKindOfValue) {
  const TomlFile file = MustParse(
      "text = \"a\"\nnumber = -3\nyes = true\nlist = [\"a\", \"b\"]\nnumbers = [1, 2]\n"
      "[map]\nx = \"1\"\ny = \"2\"\n[[item]]\nn = 1\n[[item]]\nn = 2\n");
  const TomlSection root = file.root();
  EXPECT_EQ(root.String("text", "z"), "a");
  EXPECT_EQ(root.RequiredString("text"), "a");
  EXPECT_EQ(root.OptionalString("text"), "a");
  EXPECT_EQ(root.Choice("text", "b", {"a", "b"}), "a");
  EXPECT_EQ(root.Integer("number", 0, -3, 3), -3);
  EXPECT_TRUE(root.Bool("yes", false));
  EXPECT_THAT(root.Strings("list"), ElementsAre("a", "b"));
  EXPECT_THAT(root.Integers("numbers"), ElementsAre(1, 2));
  EXPECT_THAT(root.StringMap("map"), ElementsAre(Pair("x", "1"), Pair("y", "2")));
  std::vector<int64_t> items;
  for (const TomlSection& item : root.Tables("item")) items.push_back(item.Integer("n", 0, 0, 9));
  EXPECT_THAT(items, ElementsAre(1, 2));
  EXPECT_EQ(Complaints(file), "");
}

TEST(Toml, GivesTheFallbackForWhatIsNotThere) {
  const TomlFile file = MustParse("");
  const TomlSection table = file.root().Table("none");
  EXPECT_EQ(table.String("a", "z"), "z");
  EXPECT_EQ(table.OptionalString("a"), std::nullopt);
  EXPECT_EQ(table.Choice("a", "z", {"y", "z"}), "z");
  EXPECT_EQ(table.Integer("a", 7, 0, 9), 7);
  EXPECT_TRUE(table.Bool("a", true));
  EXPECT_THAT(table.Strings("a"), IsEmpty());
  EXPECT_THAT(table.Integers("a"), IsEmpty());
  EXPECT_THAT(table.StringMap("a"), IsEmpty());
  EXPECT_THAT(table.Tables("a"), IsEmpty());
  EXPECT_THAT(table.Keys(), IsEmpty());
  EXPECT_FALSE(table.Has("a"));
  EXPECT_EQ(Complaints(file), "");
}

TEST(Toml, ComplainsOfEveryWrongTypeWithItsLine) {
  const TomlFile file = MustParse(
      "a = 1\nb = \"1\"\nc = 1\nd = \"z\"\ne = [1]\nf = [\"1\"]\ng = 1\nh = 1\ni = 1\nj = 10\n");
  const TomlSection root = file.root();
  EXPECT_EQ(root.String("a", "z"), "z");
  EXPECT_EQ(root.Integer("b", 7, 0, 9), 7);
  EXPECT_TRUE(root.Bool("c", true));
  EXPECT_EQ(root.Choice("d", "x", {"x", "y"}), "x");
  EXPECT_THAT(root.Strings("e"), IsEmpty());
  EXPECT_THAT(root.Integers("f"), IsEmpty());
  EXPECT_THAT(root.StringMap("g"), IsEmpty());
  root.Table("h");
  EXPECT_THAT(root.Tables("i"), IsEmpty());
  EXPECT_EQ(root.Integer("j", 7, 0, 9), 7);
  EXPECT_EQ(Complaints(file),
            "x.toml:1: a: must be a string in quotes\n"
            "x.toml:2: b: must be a whole number from 0 to 9\n"
            "x.toml:3: c: must be true or false\n"
            "x.toml:4: d: must be one of \"x\", \"y\"\n"
            "x.toml:5: e: must be a list of strings in brackets\n"
            "x.toml:6: f: must be a list of whole numbers in brackets\n"
            "x.toml:7: g: must be a table of strings\n"
            "x.toml:8: h: must be a table: [h]\n"
            "x.toml:9: i: must be a list of tables: [[i]]\n"
            "x.toml:10: j: must be a whole number from 0 to 9");
}

TEST(Toml, ComplainsOfUnknownKeysAndListsTheLegalOnes) {
  const TomlFile file = MustParse("a = 1\nb = 2\n\n[t]\nc = 3\nd = 4\n[u]\ne = 5\n");
  file.root().Integer("b", 0, 0, 9);
  file.root().Table("t").Integer("d", 0, 0, 9);
  EXPECT_EQ(Complaints(file),
            "x.toml:1: unknown key \"a\"; the legal keys here are b, t\n"
            "x.toml:5: unknown key \"c\"; the legal keys here are d\n"
            "x.toml:7: unknown key \"u\"; the legal keys here are b, t");
}

TEST(Toml, ComplainsOfUnknownKeysInEachTableOfAList) {
  const TomlFile file = MustParse("[[t]]\na = 1\n[[t]]\nx = 1\n");
  for (const TomlSection& section : file.root().Tables("t")) section.Integer("a", 0, 0, 9);
  EXPECT_EQ(Complaints(file), "x.toml:4: unknown key \"x\"; the legal keys here are a");
}

TEST(Toml, ComplainsOfAMissingOrEmptyRequiredString) {
  const TomlFile file = MustParse("[t]\n\n[u]\na = \"\"\n");
  EXPECT_EQ(file.root().Table("t").RequiredString("a"), "");
  EXPECT_EQ(file.root().Table("u").RequiredString("a"), "");
  EXPECT_EQ(file.root().Table("v").RequiredString("a"), "");
  EXPECT_EQ(Complaints(file),
            "x.toml:1: a: is missing; it must be a string in quotes\n"
            "x.toml:4: a: must not be empty");
}

TEST(Toml, RefusesControlCharactersInStrings) {
  const TomlFile file = MustParse("a = \"x\\u0000y\"\nb = [\"\\n\"]\n[c]\nd = \"\\u007f\"\n");
  EXPECT_EQ(file.root().String("a", "z"), "z");
  EXPECT_THAT(file.root().Strings("b"), IsEmpty());
  EXPECT_THAT(file.root().StringMap("c"), IsEmpty());
  EXPECT_EQ(Complaints(file),
            "x.toml:1: a: must not contain control characters\n"
            "x.toml:2: b: must not contain control characters\n"
            "x.toml:4: c.d: must not contain control characters");
}

TEST(Toml, PassesOnTheCallersOwnComplaint) {
  const TomlFile file = MustParse("\n[t]\n\na = 1\n");
  const TomlSection table = file.root().Table("t");
  table.Integer("a", 0, 0, 9);
  table.Complain("a", "is odd");
  table.Complain("b", "is wanted");
  EXPECT_EQ(Complaints(file), "x.toml:2: b: is wanted\nx.toml:4: a: is odd");
}

TEST(Toml, KnowsTheKeysOfATableOfNames) {
  const TomlFile file = MustParse("[\"a.b\"]\nx = 1\n[c]\n");
  EXPECT_THAT(file.root().Keys(), ElementsAre("a.b", "c"));
  EXPECT_EQ(file.root().Table("a.b").Integer("x", 0, 0, 9), 1);
  EXPECT_EQ(file.root().Table("a.b").Line(), 1);
  EXPECT_EQ(file.root().Table("c").Line(), 3);
  EXPECT_EQ(Complaints(file), "");
}

TEST(Toml, NamesTheLineOfASyntaxError) {
  for (const std::string_view text :
       {"a = 1\nb =\n", "a = 1\na = 2\n", "\n[~\"a\"]\n", "a = 1\n[a\n"}) {
    const auto file = TomlFile::Parse(text, "x.toml");
    ASSERT_FALSE(file.has_value()) << text;
    EXPECT_EQ(file.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(file.error().detail, ::testing::StartsWith("x.toml:2: ")) << text;
  }
}

TEST(Toml, RefusesBytesThatNoTomlFileHas) {
  using std::string_literals::operator""s;
  for (const std::string& text :
       {"\n[\0\"a\"]\n"s, "\n# \x01\n"s, "\na = \"\x7f\"\n"s, "\na = \"\xff\"\n"s, "\n# \xc3\n"s}) {
    const auto file = TomlFile::Parse(text, "x.toml");
    ASSERT_FALSE(file.has_value()) << text;
    EXPECT_EQ(file.error().detail,
              "x.toml:2: this line is not UTF-8 text without control characters");
  }
}

TEST(Toml, KeepsOtherAlphabetsToStringsAndComments) {
  const TomlFile file = MustParse("\t# \xc3\xbc\r\na = \"\xc3\xbc\"\n\"\xc3\xb6\" = 'x'\n");
  EXPECT_THAT(file.root().Keys(), ElementsAre("a", "\xc3\xb6"));
  // Every letter, since the library's table of blanks is one of code points.
  for (uint32_t point = 0x80; point < 0x10000; ++point) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    std::string text = "[";
    if (point >= 0x800) text += static_cast<char>(0xe0 | point >> 12);
    text += static_cast<char>(point >= 0x800 ? 0x80 | (point >> 6 & 63) : 0xc0 | point >> 6);
    text += static_cast<char>(0x80 | (point & 63));
    text += "a]\n";
    // U+FEFF and other blanks of Unicode's are no blanks of TOML's either.
    EXPECT_FALSE(TomlFile::Parse(text + "b = 1\n[c", "x.toml").has_value()) << point;
  }
}

TEST(Toml, RefusesAFileThatIsTooLarge) {
  const auto file = TomlFile::Parse(std::string((1 << 20) + 1, '#'), "x.toml");
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().detail,
            "x.toml:1: larger than 1048576 bytes; this is no configuration file");
}

TEST(Toml, RefusesNestingWithoutEnd) {
  const auto file = TomlFile::Parse("a = " + std::string(100000, '['), "x.toml");
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kMalformed);
}

TEST(TomlQuote, WritesWhatIsReadBack) {
  std::string all;
  for (int c = 0x20; c < 0x7f; ++c) all.push_back(static_cast<char>(c));
  for (const std::string& text : {std::string(), all, std::string("\xc3\xa9\xf0\x9f\x98\x80")}) {
    const TomlFile file = MustParse("a = " + TomlQuote(text));
    EXPECT_EQ(file.root().OptionalString("a"), text);
    EXPECT_EQ(Complaints(file), "");
  }
}

TEST(TomlQuote, EscapesWhatTomlForbids) {
  using std::string_literals::operator""s;
  EXPECT_EQ(TomlQuote("a\"b\\c\n\x7f\0d"s), "\"a\\\"b\\\\c\\u000A\\u007F\\u0000d\"");
  EXPECT_EQ(TomlQuote("\xff\xc3"), "\"\\uFFFD\\uFFFD\"");
}

}  // namespace
}  // namespace keybroker::config
