#include "cli/nearest.h"

#include <algorithm>

namespace keybroker::cli {
namespace {

// Distance is the optimal string alignment distance: insertions, deletions, substitutions and swaps
// of neighbours.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string Nearest(std::string_view typed, const std::vector<std::string>& words) {
  constexpr size_t kLongest = 64;  // what is longer is no slip of a finger
  if (typed.empty() || typed.size() > kLongest) return {};
  std::string best;
  size_t least = std::max<size_t>(1, typed.size() / 3) + 1;
  for (const std::string& word : words) {
    const size_t distance = word.size() > kLongest ? least : Distance(typed, word);
    if (distance >= least) continue;
    best = word;
    least = distance;
  }
  return best;
}

std::string DidYouMean(std::string_view typed, const std::vector<std::string>& words) {
  const std::string word = Nearest(typed, words);
  return word.empty() ? "" : ": did you mean " + word + "?";
}

}  // namespace keybroker::cli
