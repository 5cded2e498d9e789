#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keybroker::cli {

// Nearest is the word that was most likely meant by typed: the one that the fewest changed,
// missing, surplus or swapped letters make of it, at most one for every three. Empty: none is near.
std::string Nearest(std::string_view typed, const std::vector<std::string>& words);

// DidYouMean is ": did you mean WORD?" for it, or empty.
std::string DidYouMean(std::string_view typed, const std::vector<std::string>& words);

}  // namespace keybroker::cli
