#pragma once

#include <string>

namespace keybroker {

// Joined puts words, a range of strings, into one text with commas between.
template <typename Words>
std::string Joined(const Words& words) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

}  // namespace keybroker
