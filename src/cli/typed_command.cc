#include "cli/typed_command.h"

#include <algorithm>
#include <cctype>

#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

constexpr std::string_view kProgram = "keybroker ";

bool IsWordCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '/';
}

// FollowedBy is whether one of words stands alone at the beginning of rest.
bool FollowedBy(std::string_view rest, const std::vector<std::string>& words) {
  const auto end = std::find_if_not(rest.begin(), rest.end(), IsWordCharacter);
  const std::string_view first = rest.substr(0, static_cast<size_t>(end - rest.begin()));
  return std::find(words.begin(), words.end(), first) != words.end();
}

}  // namespace

std::string WithConfig(std::string_view text, const std::string& config,
                       const std::vector<std::string>& words) {
  const std::string option = "--config " + ShellQuote(config) + " ";
  std::string out;
  while (true) {
    const size_t at = text.find(kProgram);
    if (at == std::string_view::npos) return out + std::string(text);
    const bool whole =
        at == 0 ? out.empty() || !IsWordCharacter(out.back()) : !IsWordCharacter(text[at - 1]);
    out += text.substr(0, at + kProgram.size());
    text.remove_prefix(at + kProgram.size());
    if (whole && FollowedBy(text, words)) out += option;
  }
}

}  // namespace keybroker::cli
