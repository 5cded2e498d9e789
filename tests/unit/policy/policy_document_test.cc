// docs/policy.md tells operators what policy does: its tables and examples must be what the code
// has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/policy/current_keys.h"
#include "keybroker/policy/decision.h"

namespace keybroker::policy {
namespace {

std::string Document() {
  std::ifstream in(KB_SOURCE_DIR "/docs/policy.md");
  EXPECT_TRUE(in.good());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Quoted gives everything between backticks in text.
std::vector<std::string> Quoted(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = text.find('`'); at != std::string::npos;) {
    const size_t end = text.find('`', at + 1);
    words.push_back(text.substr(at + 1, end - at - 1));
    at = text.find('`', end + 1);
  }
  return words;
}

// Rows gives the cells of the table whose heading row begins with head.
std::vector<std::vector<std::string>> Rows(const std::string& head) {
  std::istringstream lines(Document());
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (inside && !line.starts_with("|")) break;
    if (inside && !line.starts_with("|---")) {
      std::vector<std::string> cells;
      std::istringstream text(line.substr(1));
      for (std::string cell; std::getline(text, cell, '|');) cells.push_back(cell);
      rows.push_back(cells);
    }
    inside = inside || line.starts_with(head);
  }
  EXPECT_FALSE(rows.empty()) << head;
  return rows;
}

// Block gives the nth example in TOML.
std::string Block(size_t nth) {
  const std::string text = Document();
  const std::string fence = "```toml\n";
  size_t at = 0;
  for (size_t i = 0; i <= nth; ++i) at = text.find(fence, at) + fence.size();
  return text.substr(at, text.find("```", at) - at);
}

TEST(PolicyDocument, ListsEveryReasonWithItsReturnValue) {
  std::vector<std::string> documented;
  for (const auto& row : Rows("| reason |")) {
    documented.push_back(Quoted(row[0]).at(0) + row[2].substr(0, row[2].size() - 1));
  }
  std::vector<std::string> actual;
  for (const Reason reason :
       {Reason::kUserNotAllowed, Reason::kMechanismUnknown, Reason::kKeyNotBound,
        Reason::kMechanismWrongKeyType, Reason::kMechanismNotBound, Reason::kParametersWrong,
        Reason::kDataWrong, Reason::kNotTlsHandshake, Reason::kGranted}) {
    actual.push_back(std::string(ReasonName(reason)) + " " + cryptoki::RvName(ReasonRv(reason)));
  }
  EXPECT_EQ(documented, actual);
}

TEST(PolicyDocument, ListsEveryMechanism) {
  std::vector<std::string> documented;
  for (const auto& row : Rows("| mechanism |")) {
    for (const std::string& name : Quoted(row[0])) documented.push_back(name);
  }
  std::vector<std::string> actual;
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) actual.emplace_back(mechanism.name);
  EXPECT_EQ(documented, actual);
}

TEST(PolicyDocument, ListsEveryKeyOfAListenersFile) {
  for (const auto& [head, section] :
       {std::pair{"| `[listener]` |", "[listener]\nx-unknown = 1\n"},
        std::pair{"| `[[binding]]` |", "[[binding]]\nx-unknown = 1\n"}}) {
    std::vector<std::string> documented;
    for (const auto& row : Rows(head)) documented.push_back(Quoted(row[0]).at(0));
    std::sort(documented.begin(), documented.end());
    std::string legal;
    for (const std::string& key : documented) legal += (legal.empty() ? "" : ", ") + key;
    const auto parsed = ParseListener(section, "x.toml");
    ASSERT_FALSE(parsed.has_value());
    EXPECT_THAT(parsed.error().detail, ::testing::EndsWith("; the legal keys here are " + legal));
  }
}

TEST(PolicyDocument, ShowsExamplesThatAreRead) {
  const auto listener = ParseListener(Block(0), "https.toml");
  ASSERT_TRUE(listener.has_value()) << listener.error().detail;
  EXPECT_EQ(listener->bindings.size(), 1U);
  std::string current = Block(1);
  for (const std::string dots = "\u2026"; current.find(dots) != std::string::npos;) {
    current.erase(current.find(dots), dots.size());
  }
  const auto keys = ParseCurrentKeys(current, "current.toml");
  ASSERT_TRUE(keys.has_value()) << keys.error().detail;
  EXPECT_EQ(keys->ids.size(), 2U);
}

}  // namespace
}  // namespace keybroker::policy
