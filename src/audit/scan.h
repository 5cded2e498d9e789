#pragma once

#include <deque>
#include <string>
#include <vector>

#include "audit/line.h"
#include "keybroker/audit/log.h"

namespace keybroker::audit {

// Piece is a stretch of lines in which each record follows from the one before it.
struct Piece {
  uint64_t first_line = 0;
  uint64_t last_line = 0;
  uint64_t first = 0;  // record numbers
  uint64_t last = 0;
  Hash before{};  // what the first record says came before it
  Hash end{};     // the last record's hash

  uint64_t size() const { return last - first + 1; }
};

// Stray is a line that is no record, or whose hash is not its own.
struct Stray {
  uint64_t line = 0;
  uint64_t sequence = 0;  // what it says it is, 0 when it cannot be read
  bool torn = false;      // the file ends in it, without a newline
  uint64_t size = 0;
};

// Scan is a log file taken apart; what it means is Judge's business.
struct Scan {
  std::vector<Piece> pieces;  // in the file's order
  std::vector<Stray> strays;
  uint64_t records = 0;
  uint64_t highest = 0;  // record number
  std::string first_time;
  std::string last_time;
  std::string continues;    // the detail of record 1 where its action is "continues"
  bool known_seen = false;  // a record with the known number and hash
  bool overflow = false;    // more breaks than are worth listing
};

// Scanner builds a Scan line by line.
class Scanner {
 public:
  explicit Scanner(Hasher& lines, Hasher& torn, const Head* known)
      : lines_(lines), torn_(torn), known_(known) {}

  // Add takes one line without its newline; ended tells whether the newline was there.
  Status Add(std::string_view line, bool ended);

  const Scan& scan() const { return scan_; }

 private:
  struct Recent {
    uint64_t line;
    uint64_t sequence;
    Hash before;
    Hash hash;
  };

  void AddRecord(const Line& line);
  Status AddStray(std::string_view text, uint64_t sequence, bool ended);
  Status SettleTorn(const Line& line);
  void SplitAtFork(const Line& line);

  Hasher& lines_;
  Hasher& torn_;
  const Head* known_;
  Scan scan_;
  uint64_t line_ = 0;
  // The last records of the newest piece: where a stranger's records can have branched off.
  std::deque<Recent> recent_;
  // The bytes since the last record, for a "recovered" record that accounts for them.
  size_t torn_strays_ = 0;
  uint64_t torn_size_ = 0;
};

}  // namespace keybroker::audit
