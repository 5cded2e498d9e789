// The bytes that docs/backup-format.md gives are those of the published files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "keybroker/base/hex.h"
#include "support/temp_dir.h"

namespace keybroker::backup::test {
namespace {

const std::string kVectors = KB_SOURCE_DIR "/tests/vectors/backup/";

// GoodFiles are the contents of the vectors that open, of one format.
std::vector<std::string> GoodFiles(const std::string& ending) {
  std::vector<std::string> files;
  std::ifstream list(kVectors + "expected");
  std::string file;
  std::string outcome;
  for (std::string spki; list >> file >> outcome >> spki;) {
    if (outcome != "good" || !file.ends_with(ending)) continue;
    files.push_back(keybroker::test::ReadAll(kVectors + file));
  }
  return files;
}

// Section is what the page has under a heading of the first level.
std::string Section(const std::string& heading) {
  const std::string page =
      keybroker::test::ReadAll(std::string(KB_SOURCE_DIR) + "/docs/backup-format.md");
  const size_t begin = page.find("\n# " + heading + "\n");
  EXPECT_NE(begin, std::string::npos) << heading;
  return page.substr(begin, page.find("\n# ", begin + 1) - begin);
}

// BytesIn are the sequences of three bytes or more that text gives in hexadecimal.
std::vector<std::string> BytesIn(const std::string& text) {
  std::vector<std::string> all;
  const std::regex bytes("([0-9a-f]{2} ){2,}[0-9a-f]{2}\\b");
  for (std::sregex_iterator at(text.begin(), text.end(), bytes), end; at != end; ++at) {
    std::string hex = at->str();
    std::erase(hex, ' ');
    const auto parsed = ParseHex(hex);
    EXPECT_TRUE(parsed) << hex;
    all.emplace_back(parsed->begin(), parsed->end());
  }
  return all;
}

// ExpectBytes: what the outlines give is in every file, what the tables give in one at least.
void ExpectBytes(const std::string& heading, const std::string& ending, size_t at_least) {
  const std::string section = Section(heading);
  const auto files = GoodFiles(ending);
  ASSERT_GE(files.size(), 4U);
  size_t seen = 0;
  bool outline = false;
  std::istringstream lines(section);
  for (std::string line; std::getline(lines, line);) {
    if (line == "```") outline = !outline;
    for (const std::string& bytes : BytesIn(line)) {
      ++seen;
      const auto count = std::count_if(files.begin(), files.end(), [&](const auto& file) {
        return file.find(bytes) != std::string::npos;
      });
      EXPECT_GE(static_cast<size_t>(count), outline ? files.size() : 1) << line;
    }
  }
  EXPECT_GE(seen, at_least);
}

TEST(BackupFormatDocument, GivesTheBytesOfPkcs12) { ExpectBytes("PKCS#12", ".p12", 16); }

TEST(BackupFormatDocument, GivesTheBytesOfCms) { ExpectBytes("CMS", ".cms", 12); }

}  // namespace
}  // namespace keybroker::backup::test
