#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "audit/scan.h"

namespace keybroker::audit {

// Chain is Scan's pieces sorted out: which belong to the true chain, by number, and which do not.
struct Chain {
  std::vector<Piece> pieces;    // no two overlap; sorted by record number
  std::vector<Piece> inserted;  // the others
  std::vector<Piece> moved;     // those of pieces that stand at the wrong place in the file
};

// SortOut prefers, where pieces claim the same numbers, the one with more ties to the others: its
// first record follows from another piece's end, or another piece (or the head) follows from it.
Chain SortOut(const std::vector<Piece>& pieces, const std::optional<Head>& head);

}  // namespace keybroker::audit
