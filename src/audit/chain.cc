#include "audit/chain.h"

#include <algorithm>

namespace keybroker::audit {
namespace {

bool Follows(const Piece& piece, const Piece& other) {
  return other.last + 1 == piece.first && other.end == piece.before;
}

// Ties counts what holds a piece in its place, from none to two.
int Ties(const Piece& piece, const std::vector<Piece>& all, const std::optional<Head>& head) {
  const bool begins = piece.first == 1 && piece.before == Hash{};
  const bool ends = head && head->sequence == piece.last && head->hash == piece.end;
  const auto any = [&all](auto test) { return std::any_of(all.begin(), all.end(), test); };
  const bool tied_before = begins || any([&](const Piece& p) { return Follows(piece, p); });
  const bool tied_behind = ends || any([&](const Piece& p) { return Follows(p, piece); });
  return int{tied_before} + int{tied_behind};
}

bool Overlap(const Piece& a, const Piece& b) { return a.first <= b.last && b.first <= a.last; }

// OutOfOrder gives those pieces that must be taken away so that the rest, which is as many records
// as possible, stands in the file in the order of its numbers.
std::vector<Piece> OutOfOrder(const std::vector<Piece>& pieces) {
  const size_t count = pieces.size();
  std::vector<uint64_t> best(count);
  std::vector<size_t> before(count, count);
  size_t end = count;
  for (size_t i = 0; i < count; ++i) {
    best[i] = pieces[i].size();
    for (size_t j = 0; j < i; ++j) {
      if (pieces[j].first_line > pieces[i].first_line) continue;
      if (best[j] + pieces[i].size() > best[i]) {
        best[i] = best[j] + pieces[i].size();
        before[i] = j;
      }
    }
    if (end == count || best[i] > best[end]) end = i;
  }
  std::vector<bool> in_order(count, false);
  for (size_t i = end; i < count; i = before[i]) in_order[i] = true;
  std::vector<Piece> moved;
  for (size_t i = 0; i < count; ++i) {
    if (!in_order[i]) moved.push_back(pieces[i]);
  }
  return moved;
}

}  // namespace

Chain SortOut(const std::vector<Piece>& pieces, const std::optional<Head>& head) {
  struct Ranked {
    Piece piece;
    int ties;
  };
  std::vector<Ranked> ranked;
  for (const Piece& piece : pieces) ranked.push_back({piece, Ties(piece, pieces, head)});
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.ties != b.ties ? a.ties > b.ties : a.piece.size() > b.piece.size();
  });
  Chain chain;
  for (const Ranked& candidate : ranked) {
    const Piece& piece = candidate.piece;
    // Numbers beyond the head were not given out by the writer.
    const bool beyond = head && piece.first > head->sequence;
    const bool taken = std::any_of(chain.pieces.begin(), chain.pieces.end(),
                                   [&piece](const Piece& p) { return Overlap(p, piece); });
    (beyond || taken ? chain.inserted : chain.pieces).push_back(piece);
  }
  std::sort(chain.pieces.begin(), chain.pieces.end(),
            [](const Piece& a, const Piece& b) { return a.first < b.first; });
  chain.moved = OutOfOrder(chain.pieces);
  return chain;
}

}  // namespace keybroker::audit
