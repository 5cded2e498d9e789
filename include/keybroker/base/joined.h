#pragma once

#include <string>

namespace keybroker {

// Joined puts words, a range of strings, into one text with the separator between them.
template <typename Words>
std::string Joined(const Words& words, const char* separator = ", ") {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

}  // namespace keybroker
