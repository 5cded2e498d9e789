#include "keybroker/base/shell_quote.h"

#include <algorithm>
#include <string_view>

#include "keybroker/base/printable.h"

namespace keybroker {
namespace {

// Neither quoted, nor expanded, nor ending a word.
constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/.+:@%,=";

}  // namespace

std::string ShellQuote(std::string_view word) {
  std::string shown = EscapeUnprintable(word);
  const bool plain = !shown.empty() && std::all_of(shown.begin(), shown.end(), [](char c) {
    return kPlain.find(c) != std::string_view::npos;
  });
  if (plain) return shown;
  std::string quoted = "'";
  for (const char c : shown) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace keybroker
