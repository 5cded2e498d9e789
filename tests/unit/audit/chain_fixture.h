#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "audit/head_file.h"
#include "audit/line.h"
#include "keybroker/audit/log.h"
#include "support/temp_dir.h"

namespace keybroker::audit {

// ChainTest has a chain in a folder of its own, and ways to tamper with it.
class ChainTest : public ::testing::Test {
 protected:
  static Event Signature(std::string_view key = "mail.example.test") {
    Event event;
    event.action = "sign";
    event.subject = "https";
    event.uid = 33;
    event.pid = 1234;
    event.key = key;
    event.key_id = "0a0b";
    event.mechanism = "CKM_ECDSA";
    event.decision = "granted";
    event.result = "ok";
    return event;
  }

  Log MustOpen() {
    auto log = Log::Open(file_);
    EXPECT_TRUE(log.has_value()) << log.error().detail;
    return std::move(*log);
  }

  // Write makes a chain of count records, each of another key.
  void Write(int count) {
    Log log = MustOpen();
    for (int i = 1; i <= count; ++i) {
      const std::string key = "host" + std::to_string(i) + ".example.test";
      ASSERT_TRUE(log.Append(Signature(key)).has_value());
    }
  }

  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    const std::string text = test::ReadAll(file_);
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size() - 1);
      lines.push_back(text.substr(at, end + 1 - at));
      at = end + 1;
    }
    return lines;
  }

  void SetLines(const std::vector<std::string>& lines) const {
    std::string text;
    for (const std::string& line : lines) text += line;
    test::WriteAll(file_, text);
  }

  // Forge makes a record that holds together by itself.
  static std::string Forge(uint64_t sequence, const Hash& previous, std::string_view key) {
    std::string line;
    AppendPrefix(sequence, 1'700'000'000, 0, Signature(key), previous, &line);
    const auto hasher = Hasher::Make();
    AppendHash((*hasher)->Of(line).value(), &line);
    return line;
  }

  static Line Parsed(const std::string& line) {
    return ParseLine(std::string_view(line).substr(0, line.size() - 1)).value();
  }

  // Findings verifies and gives "LINE SEQUENCE TEXT" for each finding.
  std::vector<std::string> Findings(const Head* known = nullptr) const {
    const auto report = Verify(file_, known);
    if (!report) return {report.error().detail};
    std::vector<std::string> texts;
    for (const Finding& finding : report->findings) {
      texts.push_back(std::to_string(finding.line) + " " + std::to_string(finding.sequence) + " " +
                      finding.text);
    }
    return texts;
  }

  test::TempDir dir_{test::MemoryDir()};
  std::filesystem::path file_ = dir_ / "audit.log";
};

}  // namespace keybroker::audit
