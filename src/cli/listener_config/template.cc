#include "cli/listener_config/template.h"

#include <algorithm>
#include <optional>

namespace keybroker::cli {
namespace {

// Place is a name's occurrence in a line: from its first @ to behind its second.
struct Place {
  size_t begin;
  size_t end;
  const std::vector<std::string>* values;
  std::optional<std::string> separator;  // given: all values in this line
};

bool IsNameChar(char c) { return (c >= 'A' && c <= 'Z') || c == '_'; }

// NextPlace finds the next known name from a position on.
std::optional<Place> NextPlace(std::string_view line, size_t from, const Values& values) {
  for (size_t at = line.find('@', from); at != std::string_view::npos;
       at = line.find('@', at + 1)) {
    size_t end = at + 1;
    while (end < line.size() && IsNameChar(line[end])) ++end;
    const auto known = values.find(line.substr(at + 1, end - at - 1));
    const size_t close = line.find('@', end);
    if (known == values.end() || close == std::string_view::npos) continue;
    if (close == end) return Place{at, close + 1, &known->second, std::nullopt};
    if (line[end] != ':') continue;
    return Place{at, close + 1, &known->second, std::string(line.substr(end + 1, close - end - 1))};
  }
  return std::nullopt;
}

std::string ValueAt(const Place& place, size_t index) {
  const auto& values = *place.values;
  if (!place.separator) return values[std::min(index, values.size() - 1)];
  std::string all;
  for (const auto& value : values) all += (all.empty() ? "" : *place.separator) + value;
  return all;
}

// Times is how often the line stands there.
size_t Times(std::string_view line, const Values& values) {
  size_t times = 1;
  for (auto place = NextPlace(line, 0, values); place;
       place = NextPlace(line, place->end, values)) {
    if (place->values->empty()) return 0;
    if (!place->separator) times = std::max(times, place->values->size());
  }
  return times;
}

std::string FillLine(std::string_view line, const Values& values, size_t index) {
  std::string out;
  size_t done = 0;
  for (auto place = NextPlace(line, 0, values); place;
       place = NextPlace(line, place->end, values)) {
    out.append(line.substr(done, place->begin - done)).append(ValueAt(*place, index));
    done = place->end;
  }
  return out.append(line.substr(done));
}

}  // namespace

std::string FillTemplate(std::string_view text, const Values& values) {
  std::string out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const auto line = text.substr(0, end);
    const size_t times = Times(line, values);
    for (size_t i = 0; i < times; ++i) out += FillLine(line, values, i) + "\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

}  // namespace keybroker::cli
