#pragma once

#include <string>
#include <vector>

namespace keybroker::cli {

// PageEntry is one command and its --help.
struct PageEntry {
  std::string command;  // "keybroker key generate"
  std::string help;
};

// FormatManPage writes keybroker(1) in man(7)'s language from what --help says, so that both cannot
// part. docs/man/keybroker.1 is its output; a test compares them.
std::string FormatManPage(const std::string& help, const std::vector<PageEntry>& entries);

}  // namespace keybroker::cli
