#pragma once

#include <string>

namespace keybroker {

// Joined puts words, a range of strings, into one text with between between.
template <typename Words>
std::string Joined(const Words& words, const char* between = ", ") {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += between;
    text += word;
  }
  return text;
}

}  // namespace keybroker
