#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "keybroker/base/guarded.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/base/utf8.h"

namespace keybroker {
namespace {

TEST(Hex, IsReadAsItIsWritten) {
  std::vector<uint8_t> all(256);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i);
  const std::string text = Hex(all);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(text.substr(text.size() - 4), "feff");
  EXPECT_EQ(ParseHex(text).value(), all);
  EXPECT_EQ(ParseHex("aBcD").value(), (std::vector<uint8_t>{0xab, 0xcd}));
  EXPECT_TRUE(ParseHex("")->empty());
}

TEST(Hex, IsRefusedWhenOddOrForeign) {
  for (const char* text : {"0", "abc", "0g", "g0", " 0", "0x", "/0", ":0", "@0", "`0"}) {
    const auto bytes = ParseHex(text);
    ASSERT_FALSE(bytes.has_value()) << text;
    EXPECT_EQ(bytes.error().code, ErrorCode::kMalformed);
  }
}

TEST(ShellQuote, LeavesAPlainWordAndQuotesWhatAShellWouldTakeApart) {
  for (const char* plain : {"a", "mail.example.test", "/srv/kb.toml", "a-b_c+d:e@f%g,h=i"}) {
    EXPECT_EQ(ShellQuote(plain), plain);
  }
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("*.example.test"), "'*.example.test'");
  EXPECT_EQ(ShellQuote("/a b/it's"), "'/a b/it'\\''s'");
  for (const char* special : {"~", "$x", "`x`", "a;b", "a&b", "a|b", "(a)", "a\"b", "a\\b", "#a",
                              "a>b", "[a]", "{a}", "!a", "?", "\xc3\xa4"}) {
    EXPECT_EQ(ShellQuote(special), "'" + std::string(special) + "'");
  }
}

// A terminal must not be steered by a file's name.
TEST(ShellQuote, ShowsWhatIsNotPrintable) { EXPECT_EQ(ShellQuote("a\n\x1b"), "'a\\x0a\\x1b'"); }

TEST(EscapeUnprintable, LeavesWhatIsSeenAndEscapesWhatIsNot) {
  EXPECT_EQ(EscapeUnprintable("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91"),
            "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x94\x91");
  EXPECT_EQ(EscapeUnprintable("a\nb\tc\x1b\x7f"), "a\\x0ab\\x09c\\x1b\\x7f");
  EXPECT_EQ(EscapeUnprintable("a\nb\tc", "\n\t"), "a\nb\tc");
  EXPECT_EQ(EscapeUnprintable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(EscapeUnprintable("\xc2\x80\xc2\x9f\xc2\xa0"), "\\u{0080}\\u{009f}\xc2\xa0");
  EXPECT_EQ(EscapeUnprintable("\xe2\x80\xaa\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9"),
            "\\u{202a}\\u{202e}\\u{2066}\\u{2069}");
  EXPECT_EQ(EscapeUnprintable("\xf3\xa0\x80\x81"), "\\u{e0001}");
}

// Encoded is a code point's UTF-8 form by arithmetic (RFC 3629 section 3).
std::string Encoded(uint32_t point) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xc0 | point >> 6), byte(0x80 | (point & 63))};
  if (point < 0x10000) {
    return {byte(0xe0 | point >> 12), byte(0x80 | (point >> 6 & 63)), byte(0x80 | (point & 63))};
  }
  return {byte(0xf0 | point >> 18), byte(0x80 | (point >> 12 & 63)), byte(0x80 | (point >> 6 & 63)),
          byte(0x80 | (point & 63))};
}

TEST(Utf8, AcceptsEveryCodePointAndNoSurrogate) {
  for (uint32_t point = 0; point <= 0x10ffff; ++point) {
    const std::string text = Encoded(point);
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    ASSERT_EQ(Utf8Sequence(text + "x"), surrogate ? 0 : text.size()) << point;
    for (size_t size = 0; size < text.size(); ++size) {
      ASSERT_EQ(Utf8Sequence(std::string_view(text).substr(0, size)), 0U) << point;
    }
  }
}

TEST(Utf8, AcceptsNothingElse) {
  size_t accepted = 0;
  for (uint32_t first = 0; first < 256; ++first) {
    for (uint32_t second = 0; second < 256; ++second) {
      const char text[] = {static_cast<char>(first), static_cast<char>(second)};
      accepted += Utf8Sequence({text, 2}) == 2;
    }
  }
  EXPECT_EQ(accepted, 0x800U - 0x80U);
  for (const std::string_view bad :
       {"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xed\xa0\x80", "\x80", "\xff"}) {
    EXPECT_EQ(Utf8Sequence(bad), 0U);
  }
}

TEST(UniqueFd, ClosesWhatItOwnsOnce) {
  int raw = -1;
  {
    UniqueFd fd(::dup(0));
    raw = fd.get();
    ASSERT_TRUE(fd);
    UniqueFd moved(std::move(fd));
    EXPECT_EQ(moved.get(), raw);
    EXPECT_FALSE(fd);  // NOLINT: a moved-from UniqueFd is empty by contract
    UniqueFd& alias = moved;
    moved = std::move(alias);
    EXPECT_EQ(moved.get(), raw);
  }
  EXPECT_EQ(::write(raw, "", 0), -1);
  UniqueFd fd(::dup(0));
  const int released = fd.Release();
  EXPECT_FALSE(fd);
  EXPECT_EQ(::close(released), 0);
}

TEST(Guarded, LetsOneAtATimeReachItsValue) {
  Guarded<int> count(0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&count] {
      for (int j = 0; j < 1000; ++j) count.With([](int& value) { ++value; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::as_const(count).With([](const int& value) { return value; }), 4000);
}

}  // namespace
}  // namespace keybroker
