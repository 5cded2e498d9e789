#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/sha256.h"
#include "keybroker/audit/record.h"

namespace keybroker::audit {

// Longest text that a field keeps, in bytes before escaping; the rest is cut off and marked "...".
inline constexpr size_t kMaxField = 1024;

// Longest line, newline included: eight fields whose every byte is escaped, and the rest.
inline constexpr size_t kMaxLine = 8 * 6 * (kMaxField + 4) + 1024;

// Highest record number that is accepted, so that its successor is a number, whatever a file says.
inline constexpr uint64_t kMaxSequence = uint64_t{1} << 62;

// The action of a record that accounts for what a crash left behind (docs/audit-format.md).
inline constexpr std::string_view kRecovered = "recovered";
inline constexpr std::string_view kContinues = "continues";  // record 1 after a Rotate

// TornDetail is the detail of the record that accounts for size torn bytes.
std::string TornDetail(uint64_t size, const Hash& hash);

// FormatTime writes a CLOCK_REALTIME time as "2026-11-23T20:54:31.123456789Z".
void AppendTime(int64_t seconds, int64_t nanoseconds, std::string* out);

// AppendPrefix writes a record up to its "prev" field: what its hash covers.
void AppendPrefix(uint64_t sequence, int64_t seconds, int64_t nanoseconds, const Event& event,
                  const Hash& previous, std::string* out);

// AppendHash closes the record: its hash, and the newline.
void AppendHash(const Hash& hash, std::string* out);

// Line is a record as it stands in a file, its hash not yet checked. Texts are still escaped and
// point into the line.
struct Line {
  uint64_t sequence = 0;
  std::string_view time;
  std::string_view action;
  std::string_view detail;
  Hash previous{};
  Hash hash{};
  std::string_view prefix;  // the bytes that hash covers
};

// ParseLine reads what AppendPrefix and AppendHash write, without the newline, and nothing else.
std::optional<Line> ParseLine(std::string_view line);

}  // namespace keybroker::audit
