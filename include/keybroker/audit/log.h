#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/audit/record.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::audit {

// Head is the newest record's place in the chain: its number, counted from 1, and SHA-256.
struct Head {
  uint64_t sequence = 0;
  std::array<uint8_t, 32> hash{};
};

class Hasher;

// Log appends hash-chained records, one line each, to one file (docs/audit-format.md). One writer
// per file: Open locks it. Beside it FILE.head holds the Head, so that a cut-off tail is noticed.
// Not thread-safe: its owner guards it.
class Log {
 public:
  // Open continues a chain or begins one (0600, owner the process). A line torn by a crash is
  // kept and accounted for by a record of its own. Conflict when another process writes this chain.
  static Result<Log> Open(const std::filesystem::path& file);

  // Append writes one record with one write(2). On failure (a full disk) the file is cut back to
  // what it was and the chain goes on from there.
  Status Append(const Event& event);

  // Sync puts everything on disk (fdatasync of log, then head).
  Status Sync();

  // Rotate moves the chain, log and head file, to FILE.TIME (UTC, as 20261126T120000Z) and begins a
  // new one, whose record 1 names that file and its Head. On failure the old chain goes on.
  Status Rotate();

  const Head& head() const { return head_; }

  // size is the log's, in bytes.
  uint64_t size() const { return size_; }

 private:
  Log() = default;
  Status Recover();
  Status AppendAfter(std::string_view before, const Event& event);
  Status Write(std::string_view bytes);
  Status CutBack();

  std::filesystem::path path_;
  UniqueFd file_;
  UniqueFd head_file_;
  uint64_t size_ = 0;   // of the file up to the newest record's end
  bool dirty_ = false;  // a failed append may have left bytes behind size_
  Head head_;
  std::shared_ptr<Hasher> hasher_;
  std::string line_;  // reused, so that an append allocates nothing
};

// Finding is what verify found wrong, and where.
struct Finding {
  uint64_t line = 0;      // in the file, counted from 1
  uint64_t sequence = 0;  // of the record, 0 when it cannot be read
  std::string text;       // "changed", "removed", "inserted", "moved", "cut off": and how it shows
};

// Report is the result of an offline verification; findings is empty when the chain holds.
struct Report {
  uint64_t records = 0;
  Head head;
  std::string first_time;
  std::string last_time;
  std::string continues;  // what record 1 says comes before it: "NAME NUMBER:HASH"; empty: nothing
  bool known_seen = false;   // the known Head is in it
  bool end_unknown = false;  // it holds, but nothing says where it ended: see findings
  std::vector<Finding> findings;
};

// KnownHead says whether the known Head must be in the file, or may be in a later one.
enum class KnownHead { kIsHere, kMayBeLater };

// Verify reads a chain and its head file, and optionally a Head known from elsewhere (printed by
// an earlier verify), and reports every break. Fails only when the file cannot be read.
Result<Report> Verify(const std::filesystem::path& file, const Head* known = nullptr,
                      KnownHead where = KnownHead::kIsHere);

// OlderFiles are the chains that Rotate moved away from file, oldest first.
std::vector<std::filesystem::path> OlderFiles(const std::filesystem::path& file);

// LinkText is how record 1 of a chain names the one before it: the file's name and its newest
// record, "audit.log.20261126T120000Z 1042:6f1e...".
std::string LinkText(const std::filesystem::path& older, const Head& head);

}  // namespace keybroker::audit
